package discovery

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/simulator"
)

func TestServersAreThoseThatTheSettingsWant(t *testing.T) {
	fleet := simulator.Fleet{Seed: 7, Size: 240, OfflineRatio: 0.3}
	// As the configuration compiles them.
	web, two := regexp.MustCompile(`^(?:web-.*)$`), regexp.MustCompile(`^(?:.*2)$`)
	tests := map[string]struct {
		settings config.ServerDiscovery
		want     func(simulator.Server) bool
	}{
		"all":           {config.ServerDiscovery{}, func(simulator.Server) bool { return true }},
		"online":        {config.ServerDiscovery{OnlineOnly: true}, func(s simulator.Server) bool { return s.Online }},
		"one region":    {config.ServerDiscovery{Regions: []string{"cn-beijing"}}, func(s simulator.Server) bool { return s.RegionID == "cn-beijing" }},
		"two regions":   {config.ServerDiscovery{Regions: []string{"cn-beijing", "cn-shanghai"}}, func(s simulator.Server) bool { return s.RegionID != "cn-hangzhou" }},
		"by name":       {config.ServerDiscovery{Include: web}, func(s simulator.Server) bool { return web.MatchString(s.Name) }},
		"but by name":   {config.ServerDiscovery{Exclude: web}, func(s simulator.Server) bool { return !web.MatchString(s.Name) }},
		"by and but by": {config.ServerDiscovery{Include: web, Exclude: two}, func(s simulator.Server) bool { return web.MatchString(s.Name) && !two.MatchString(s.Name) }},
		"all that together": {config.ServerDiscovery{OnlineOnly: true, Regions: []string{"cn-beijing"}, Include: web, Exclude: two, TypesByOS: true}, func(s simulator.Server) bool {
			return s.Online && s.RegionID == "cn-beijing" && web.MatchString(s.Name) && !two.MatchString(s.Name)
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				tt.settings.RefreshInterval = time.Hour
				w := startWorld(t, fleet, Options{Servers: &tt.settings})
				pass(0)
				var want []string
				for _, s := range fleet.Servers() {
					if tt.want(s) {
						want = append(want, s.UUID)
					}
				}
				if got := uuidsOf(w.known().Servers.Items); !slices.Equal(got, want) || len(want) == 0 {
					t.Errorf("got %d servers, want %d", len(got), len(want))
				}
			})
		})
	}
}

func TestTypesAreThoseOfTheSystem(t *testing.T) {
	const linux, windows, other, unknown = `"Os":"linux"`, `"Os":"Windows"`, `"Os":"freebsd"`, `"Os":null`
	all := []string{"cve", "sys", "cms", "sca"}
	tests := []struct {
		os    string
		types []string
		by    bool
		want  []string // nil: left out
	}{
		{linux, all, true, []string{"cve", "cms", "sca"}},
		{windows, all, true, []string{"sys", "cms", "sca"}},
		{other, all, true, all},
		{unknown, all, true, all},
		{linux, all, false, all},
		{linux, []string{"sca", "sys"}, true, []string{"sca"}},
		{windows, []string{"sca", "sys"}, true, []string{"sca", "sys"}},
		{linux, []string{"sys"}, true, nil},
		{linux, []string{"sys"}, false, []string{"sys"}},
	}
	for _, tt := range tests {
		inBubble(t, func(t *testing.T) {
			s := &service{servers: []string{`{"Uuid":"` + uuidOf(1) + `",` + tt.os + `}`}}
			w := startWorldOf(t, one(), Options{Types: tt.types, Servers: &config.ServerDiscovery{RefreshInterval: time.Hour, TypesByOS: tt.by}}, s.answer)
			pass(0)
			var got []string
			for _, s := range w.known().Servers.Items {
				got = s.Types
			}
			if !slices.Equal(got, tt.want) || len(w.known().Servers.Items) == 0 != (tt.want == nil) {
				t.Errorf("%s within %v (%v): %v, want %v", tt.os, tt.types, tt.by, got, tt.want)
			}
		})
	}
}

func TestServersWithoutANameHaveTheirUUIDForOne(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := startWorldOf(t, one(), Options{Servers: everyServer()}, (&service{servers: []string{serverEntry(1)}}).answer)
		pass(0)
		wantEqual(t, "name", w.known().Servers.Items[0].Name, uuidOf(1))
	})
}

// A pattern with a slip of the pen is not a quiet exporter.
func TestSettingsThatLeaveOutEveryServerAreTold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		fleet := simulator.Fleet{Seed: 7, Size: 40, OfflineRatio: 0.3}
		offline := 0
		for _, s := range fleet.Servers() {
			if !s.Online {
				offline++
			}
		}
		settings := &config.ServerDiscovery{RefreshInterval: time.Minute, OnlineOnly: true, Include: regexp.MustCompile(`^(?:wbe-.*)$`)}
		w := startWorld(t, fleet, Options{Servers: settings})
		pass(time.Hour)
		if offline == 0 || offline == 40 {
			t.Fatalf("%d offline", offline)
		}
		w.wantTold(
			[]string{"level=warn", "kind=servers", "the settings leave out every server", "listed=40"},
			[]string{"level=info", "the list is complete", "entries=0"},
		)
	})
}
