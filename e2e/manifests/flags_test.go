package manifests

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
)

// freePort returns a port at which nothing listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// startExporter runs the exporter until the end of the test, and waits until it listens at as many
// addresses as it is told.
func startExporter(t *testing.T, binary string, args []string, addresses int) {
	t.Helper()
	c := exec.CommandContext(t.Context(), binary, args...)
	c.Dir = t.TempDir()
	log, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	var lines strings.Builder
	for s := bufio.NewScanner(log); s.Scan(); {
		lines.WriteString(s.Text() + "\n")
		if addresses -= strings.Count(s.Text(), "Listening on"); addresses == 0 {
			go func() { _, _ = io.Copy(io.Discard, log) }()
			return
		}
	}
	t.Fatalf("%q ended:\n%s", args, lines.String())
}

// ask sends a request; an answer other than 200 is a failure.
func ask(t *testing.T, who, method, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Errorf("%s: %v", who, err)
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %s answers %s %v", who, url, resp.Status, err)
	}
	return string(body)
}

// The exporter runs with the arguments of the manifests, and is asked whatever the manifests let
// others ask.
func TestProbesReachTheExporter(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "exporter")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	other := freePort(t)
	for name, flags := range map[string][]string{
		"another port":             {"--web.listen-address=:PORT"},
		"an address":               {"--web.listen-address=0.0.0.0:PORT"},
		"IPv6":                     {"--web.listen-address=[::]:PORT"},
		"external URL":             {"--web.listen-address=:PORT", "--web.external-url=https://monitoring.example.com/vulscan/"},
		"external URL, no path":    {"--web.listen-address=:PORT", "--web.external-url=https://vulscan.example.com"},
		"route prefix":             {"--web.listen-address=:PORT", "--web.route-prefix=/a/b"},
		"no prefix behind a proxy": {"--web.listen-address=:PORT", "--web.external-url=https://monitoring.example.com/vulscan", "--web.route-prefix=/"},
		"other prefix":             {"--web.listen-address=:PORT", "--web.external-url=https://monitoring.example.com/vulscan", "--web.route-prefix=inside/"},
		"path of the metrics":      {"--web.listen-address=:PORT", "--web.telemetry-path=/scans", "--web.route-prefix=/a"},
		"a second, on loopback":    {"--web.listen-address=127.0.0.1:" + other, "--web.listen-address=:PORT"},
		"reload already allowed":   {"--web.listen-address=:PORT", "--web.enable-lifecycle"},
	} {
		t.Run(name, func(t *testing.T) {
			extra := []any{"--demo", "--state.file=" + filepath.Join(t.TempDir(), "state.db")}
			for _, flag := range flags {
				extra = append(extra, strings.ReplaceAll(flag, "PORT", freePort(t)))
			}
			objects := objectsOf(t, mapping{"extraArgs": extra, "serviceMonitor": mapping{"enabled": true}})
			pod, _ := podOf(t, objects)
			c := pod.Spec.Containers[0]
			startExporter(t, binary, c.Args, strings.Count(strings.Join(c.Args, " "), "--web.listen-address="))

			at := url.URL{Scheme: "http", Host: net.JoinHostPort("127.0.0.1", portOf(c))}
			ask(t, "liveness", http.MethodGet, at.JoinPath(c.LivenessProbe.HTTPGet.Path).String())
			ask(t, "readiness", http.MethodGet, at.JoinPath(c.ReadinessProbe.HTTPGet.Path).String())
			monitor := find[monitoringv1.ServiceMonitor](objects).Spec.Endpoints[0]
			if text := ask(t, "Prometheus", http.MethodGet, at.JoinPath(monitor.Path).String()); !strings.Contains(text, "aliyun_vulscan_exporter_build_info") {
				t.Errorf("no metrics at %s", monitor.Path)
			}
			for _, arg := range pod.Spec.Containers[1].Args {
				if to, found := strings.CutPrefix(arg, "--reload-url="); found {
					ask(t, "the sidecar", http.MethodPost, to)
				}
			}
			tested, err := url.Parse(strings.TrimPrefix(find[corev1.Pod](objects).Spec.Containers[0].Args[0], "--url="))
			if err != nil {
				t.Fatal(err)
			}
			ask(t, "helm test", http.MethodGet, at.JoinPath(tested.Path).String())
		})
	}
}

func TestWebConfigurationsLeaveProbesThatNeedNoPassword(t *testing.T) {
	for name, values := range map[string]mapping{
		"of a Secret": {"web": mapping{"existingSecret": "web"}},
		"of a flag":   {"extraArgs": []any{"--web.config.file=/etc/web.yml"}},
	} {
		pod, _ := podOf(t, objectsOf(t, values))
		c := pod.Spec.Containers[0]
		for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe} {
			if probe.TCPSocket == nil || probe.TCPSocket.Port.String() != "http" || probe.HTTPGet != nil {
				t.Errorf("%s: probe %v", name, probe)
			}
		}
		if len(pod.Spec.Containers) != 1 {
			t.Errorf("%s: the sidecar has no password", name)
		}
	}
}

func TestProbesOfTheUser(t *testing.T) {
	handler := func(values mapping) corev1.ProbeHandler {
		pod, _ := podOf(t, objectsOf(t, values))
		if p := pod.Spec.Containers[0].LivenessProbe; p != nil {
			return p.ProbeHandler
		}
		return corev1.ProbeHandler{}
	}
	prefix := []any{"--web.route-prefix=/x"}
	get := func(path, scheme string) mapping {
		return mapping{"httpGet": mapping{"path": path, "port": "http", "scheme": scheme}}
	}
	same(t, "a path", handler(mapping{"livenessProbe": mapping{"httpGet": mapping{"path": "/-/ready"}}}), get("/-/ready", "HTTP"))
	same(t, "by HTTPS", handler(mapping{
		"extraArgs": prefix, "web": mapping{"existingSecret": "web", "scheme": "https"}, "livenessProbe": mapping{"httpGet": mapping{}},
	}), get("/x/-/healthy", "HTTPS"))
	command := mapping{"exec": mapping{"command": []any{"/bin/healthcheck"}}}
	same(t, "a command, on loopback", handler(mapping{
		"extraArgs": []any{"--web.listen-address=127.0.0.1:10877"}, "livenessProbe": command, "readinessProbe": command,
	}), command)
	same(t, "none", handler(mapping{"livenessProbe": nil}), mapping{})
}

// portOf returns where the exporter listens.
func portOf(c corev1.Container) string {
	port := ":10877"
	for _, arg := range c.Args {
		address, found := strings.CutPrefix(arg, "--web.listen-address=")
		if found && !strings.HasPrefix(address, "127.") {
			port = address
		}
	}
	return port[strings.LastIndex(port, ":")+1:]
}
