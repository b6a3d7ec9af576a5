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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		w := startWorldOf(t, one(), Options{Servers: everyServer()}, (&service{servers: []string{serverEntry(1)}}).answer)
		pass(0)
		wantEqual(t, "name", w.known().Servers.Items[0].Name, uuidOf(1))
	})
}

// A misspelt pattern is said in the log.
func TestSettingsThatLeaveOutEveryServerAreTold(t *testing.T) {
	t.Parallel()
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

// An exporter that finds nothing to watch looks healthy otherwise.
func TestListsWithoutAnEntryAreToldOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := &service{}
		w := startWorldOf(t, one(), Options{Servers: everyServer()}, s.answer)
		pass(time.Hour)
		w.wantTold(
			[]string{"level=warn", "kind=servers", "the service lists none"},
			[]string{"level=info", "the list is complete", "entries=0"},
		)
		s.set(func(s *service) { s.servers = []string{serverEntry(1)} })
		pass(time.Hour)
		w.wantTold([]string{"level=info", "kind=servers", "no longer: the service lists none"})
	})
	inBubble(t, func(t *testing.T) {
		w := startWorldOf(t, one(), Options{Tasks: everyTask()}, (&service{}).answer)
		pass(time.Hour)
		w.wantTold([]string{"level=warn", "kind=tasks", "the service lists none"}, []string{"level=info", "the list is complete"})
	})
}

// The caller may go on to watch servers whose agent is offline: they are told apart, and by nothing
// but online_only.
func TestServersThatAreOfflineAreToldApart(t *testing.T) {
	t.Parallel()
	entry := func(n int, name, status string) string {
		return `{"Uuid":"` + uuidOf(n) + `","InstanceId":"i-1","InstanceName":"` + name + `","RegionId":"cn-beijing","ClientStatus":"` + status + `"}`
	}
	inBubble(t, func(t *testing.T) {
		s := &service{servers: []string{entry(1, "web-1", "online"), entry(2, "web-2", "offline"), entry(3, "web-3", "pause"), entry(4, "db-4", "offline")}}
		settings := everyServer()
		settings.OnlineOnly, settings.Include = true, regexp.MustCompile(`^(?:web-.*)$`)
		w := startWorldOf(t, one(), Options{Servers: settings}, s.answer)
		pass(time.Second)
		found := w.known()
		wantEqual(t, "online", uuidsOf(found.Servers.Items), []string{uuidOf(1)})
		wantEqual(t, "offline", uuidsOf(found.Offline), []string{uuidOf(2), uuidOf(3)})
		wantEqual(t, "told apart", [2]bool{found.Servers.Items[0].Online, found.Offline[0].Online}, [2]bool{true, false})
		wantEqual(t, "instance", found.Offline[0].InstanceID, "i-1")
		w.wantTold([]string{"level=info", "the list is complete", "entries=1 "})

		// One goes offline, one comes back: at once, and nothing is doubtful.
		s.set(func(s *service) {
			s.servers[0], s.servers[1] = entry(1, "web-1", "offline"), entry(2, "web-2", "online")
		})
		pass(10 * time.Minute)
		found = w.known()
		wantEqual(t, "online", uuidsOf(found.Servers.Items), []string{uuidOf(2)})
		wantEqual(t, "offline", uuidsOf(found.Offline), []string{uuidOf(1), uuidOf(3)})
		wantEqual(t, "error", found.Servers.Err, nil)

		// A doubtful list takes neither kind away.
		s.set(func(s *service) { s.servers = nil })
		pass(10 * time.Minute)
		wantEqual(t, "online", uuidsOf(w.known().Servers.Items), []string{uuidOf(2)})
		wantEqual(t, "offline", uuidsOf(w.known().Offline), []string{uuidOf(1), uuidOf(3)})
		known := w.known()
		w.stop()

		// What is known outlives a reload, also of online_only.
		settings.OnlineOnly = false
		again := startWorldOf(t, one(), Options{Servers: settings, Known: known}, s.answer)
		pass(time.Second)
		wantEqual(t, "all", len(again.known().Servers.Items), 3)
		wantEqual(t, "offline", len(again.known().Offline), 0)
	})
}
