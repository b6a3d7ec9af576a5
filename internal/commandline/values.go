package commandline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// number is the value of a flag that takes a whole number from min to max.
type number struct {
	flag     string
	into     *int
	min, max int
}

// Set implements kingpin.Value. kingpin's own errors do not name the flag.
func (n number) Set(text string) error {
	value, err := strconv.Atoi(text)
	if err != nil || value < n.min || value > n.max {
		return fmt.Errorf("--%s=%s: it must be a whole number from %d to %d", n.flag, text, n.min, n.max)
	}
	*n.into = value
	return nil
}

// String implements kingpin.Value.
func (n number) String() string { return strconv.Itoa(*n.into) }

// choice is the value of a flag that takes one of a few words.
type choice struct {
	flag string
	into *string
	of   []string
}

// Set implements kingpin.Value.
func (c choice) Set(text string) error {
	if !slices.Contains(c.of, text) {
		return fmt.Errorf("--%s=%s: it must be one of %s", c.flag, text, strings.Join(c.of, ", "))
	}
	*c.into = text
	return nil
}

// String implements kingpin.Value.
func (c choice) String() string { return *c.into }
