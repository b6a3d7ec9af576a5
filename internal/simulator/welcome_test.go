package simulator

import (
	"strings"
	"testing"
)

func TestWelcomeLinksToWhereTheDemoIs(t *testing.T) {
	for _, c := range []struct{ address, prefix, metrics, want string }{
		{"127.0.0.1:10877", "/", "/metrics", "http://127.0.0.1:10877/status "},
		{"[::]:10877", "/", "/metrics", "http://localhost:10877/metrics "},
		{"0.0.0.0:80", "", "/scans", "http://localhost:80/scans "},
		{"[::1]:10877", "/vulscan", "/metrics", "http://[::1]:10877/vulscan/metrics "},
		{"127.0.0.1:1", "/a/b", "/metrics", "http://127.0.0.1:1/a/b/config "},
	} {
		if text := DemoWelcome(c.address, c.prefix, c.metrics, 0); !strings.Contains(text, c.want) || !strings.Contains(text, "stalled after 20 s.") {
			t.Errorf("no %s in %s", c.want, text)
		}
	}
}

func TestDemoConfigurationHasTheTimeThatTheWelcomeSays(t *testing.T) {
	if text := string(DemoConfig("http://127.0.0.1:1", 0)); !strings.Contains(text, "stall_after: 20s\naccounts:\n") {
		t.Error(text)
	}
}

func TestWelcomeTellsOfTheFleet(t *testing.T) {
	for fleet, want := range map[int]bool{0: false, 2000: true} {
		text := DemoWelcome("127.0.0.1:1", "/", "/metrics", fleet)
		if strings.Contains(text, "\nThe account fleet has 2000 servers more;") != want || !strings.HasSuffix(text, "\nCtrl-C ends it.\n\n") {
			t.Errorf("with %d servers: %s", fleet, text)
		}
	}
}
