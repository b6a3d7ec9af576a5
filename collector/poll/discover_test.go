package poll

import (
	"context"
	"testing"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

// emptyLists answers all lists with nothing.
type emptyLists struct{ API }

func (emptyLists) OnceTasks(context.Context, sas.TaskQuery) (*sas.Page[sas.Task], error) {
	return &sas.Page[sas.Task]{}, nil
}

func (emptyLists) Close() {}

// A poll may have targets looked for before discovery has begun: what that starts from is read
// before. The race detector says if it is not.
func TestDiscoveryBeginsWithWhatWasKnownBefore(t *testing.T) {
	c := accountOf()
	c.Discovery.Tasks = &config.TaskDiscovery{ServerScans: true}
	for range 20 {
		a := idle(t, c, false)
		a.api = emptyLists{}
		a.mu.Lock()
		a.lookForTargets()
		a.mu.Unlock()
		ctx, cancel := context.WithCancel(t.Context())
		stop := a.discover(ctx)
		stop()
		cancel()
	}
}
