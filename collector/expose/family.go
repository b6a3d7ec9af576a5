package expose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
)

// Label is a label of a family. From is the place of its value among those that Emit is given.
type Label struct {
	Name string
	From int
}

// Family is a metric family whose metrics come from groups: gauges or counters.
type Family struct {
	Name, Help string
	Counter    bool
	Labels     []Label // in any order
}

// check refuses what a scraper would drop the whole scrape for.
func check(families []Family) error {
	names := make(map[string]bool)
	for _, f := range families {
		switch {
		case !model.LegacyValidation.IsValidMetricName(f.Name):
			return fmt.Errorf("%q is no metric name", f.Name)
		case names[f.Name]:
			return fmt.Errorf("metric %s is there twice", f.Name)
		case f.Counter && !strings.HasSuffix(f.Name, "_total"):
			return fmt.Errorf("counter %s does not end in _total", f.Name)
		}
		names[f.Name] = true
		labels := make(map[string]bool)
		for _, l := range f.Labels {
			if !model.LegacyValidation.IsValidLabelName(l.Name) || labels[l.Name] {
				return fmt.Errorf("metric %s: label %q is no label name, or there twice", f.Name, l.Name)
			}
			labels[l.Name] = true
		}
	}
	return nil
}

// sorted returns a family's labels in the order in which they are exposed.
func (f *Family) sorted() []Label {
	return slices.SortedFunc(slices.Values(f.Labels), func(a, b Label) int { return cmp.Compare(a.Name, b.Name) })
}
