package manifests

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"

	"aliyun_vulscan_exporter/config"
)

func selects(selector, labels map[string]string) bool {
	for name, value := range selector {
		if labels[name] != value {
			return false
		}
	}
	return len(selector) > 0
}

// checkSelectors looks whether all that select something find it.
func checkSelectors(t *testing.T, objects []any, pod, workload map[string]string) {
	t.Helper()
	selectors := map[string]map[string]string{"the workload": workload}
	for _, s := range all[corev1.Service](objects) {
		selectors["Service "+s.Name] = s.Spec.Selector
	}
	for _, p := range all[networkingv1.NetworkPolicy](objects) {
		selectors["NetworkPolicy "+p.Name] = p.Spec.PodSelector.MatchLabels
	}
	for _, p := range all[policyv1.PodDisruptionBudget](objects) {
		selectors["PodDisruptionBudget "+p.Name] = p.Spec.Selector.MatchLabels
	}
	for name, selector := range selectors {
		if !selects(selector, pod) {
			t.Errorf("%s selects %v, pods have %v", name, selector, pod)
		}
	}
	for _, test := range all[corev1.Pod](objects) {
		if selects(workload, test.Labels) {
			t.Errorf("%s, which serves nothing, is selected by %v", test.Name, workload)
		}
	}
	if m := find[monitoringv1.PodMonitor](objects); m != nil && !selects(m.Spec.Selector.MatchLabels, pod) {
		t.Errorf("the PodMonitor selects %v, pods have %v", m.Spec.Selector.MatchLabels, pod)
	}
	if m := find[monitoringv1.ServiceMonitor](objects); m != nil {
		count := 0
		for _, s := range all[corev1.Service](objects) {
			if selects(m.Spec.Selector.MatchLabels, s.Labels) {
				count++
			}
		}
		if count != 1 {
			t.Errorf("the ServiceMonitor finds %d Services: every pod has to be scraped once", count)
		}
	}
}

// checkPorts follows the port from where the exporter listens to those who scrape.
// TestProbesReachTheExporter tries the paths.
func checkPorts(t *testing.T, objects []any, c corev1.Container) {
	t.Helper()
	port := c.Ports[0]
	if !strings.Contains(read(t, "../../docs/flags.md"), "| `--web.listen-address` | `:10877` |") || strconv.Itoa(int(port.ContainerPort)) != portOf(c) {
		t.Errorf("the container's port %d is not where the exporter listens: %s", port.ContainerPort, portOf(c))
	}
	for _, s := range all[corev1.Service](objects) {
		if s.Spec.Ports[0].TargetPort.String() != port.Name {
			t.Errorf("Service %s leads to %v", s.Name, s.Spec.Ports)
		}
		if m := find[monitoringv1.ServiceMonitor](objects); m != nil && m.Spec.Endpoints[0].Port != s.Spec.Ports[0].Name {
			t.Errorf("the ServiceMonitor asks %s for %s", s.Name, m.Spec.Endpoints[0].Port)
		}
	}
	if m := find[monitoringv1.PodMonitor](objects); m != nil && *m.Spec.PodMetricsEndpoints[0].Port != port.Name {
		t.Errorf("the PodMonitor asks for %v", m.Spec.PodMetricsEndpoints)
	}
	for _, p := range all[networkingv1.NetworkPolicy](objects) {
		if p.Spec.Ingress[0].Ports[0].Port.String() != port.Name {
			t.Errorf("the NetworkPolicy lets %v in", p.Spec.Ingress)
		}
	}
	for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe} {
		switch {
		case probe == nil:
			t.Error("a probe is missing")
		case probe.HTTPGet != nil && probe.HTTPGet.Port.String() != port.Name, probe.TCPSocket != nil && probe.TCPSocket.Port.String() != port.Name:
			t.Errorf("probe %v", probe)
		}
	}
}

// checkReferences looks whether all that is named is there. What the user has is called mine,
// default or ca in the cases.
func checkReferences(t *testing.T, objects []any, pod corev1.PodSpec) {
	t.Helper()
	there := map[string]bool{"ConfigMap mine": true, "ConfigMap ca": true, "claim mine": true, "account default": true}
	for _, o := range all[corev1.ConfigMap](objects) {
		there["ConfigMap "+o.Name] = true
	}
	for _, o := range all[corev1.PersistentVolumeClaim](objects) {
		there["claim "+o.Name] = true
	}
	for _, o := range all[corev1.ServiceAccount](objects) {
		there["account "+o.Name] = true
	}
	for _, o := range all[corev1.Service](objects) {
		there["headless Service "+o.Name] = o.Spec.ClusterIP == corev1.ClusterIPNone
	}
	named := []string{"account " + pod.ServiceAccountName}
	for _, v := range pod.Volumes {
		switch {
		case v.ConfigMap != nil:
			named = append(named, "ConfigMap "+v.ConfigMap.Name)
		case v.PersistentVolumeClaim != nil:
			named = append(named, "claim "+v.PersistentVolumeClaim.ClaimName)
		case v.Secret != nil && (v.Secret.DefaultMode == nil || *v.Secret.DefaultMode != 0o440):
			t.Errorf("Secret %s is not for the exporter's group alone", v.Secret.SecretName)
		}
	}
	if s := find[appsv1.StatefulSet](objects); s != nil {
		named = append(named, "headless Service "+s.Spec.ServiceName)
	}
	for _, name := range named {
		if !there[name] {
			t.Errorf("there is no %s", name)
		}
	}
}

// mountsOf returns where each volume is mounted.
func mountsOf(c corev1.Container) map[string]string {
	mounts := map[string]string{}
	for _, m := range c.VolumeMounts {
		mounts[m.Name] = m.MountPath
	}
	return mounts
}

// checkPaths looks whether flags and environment name files of mounted volumes.
func checkPaths(t *testing.T, pod corev1.PodSpec) {
	t.Helper()
	c := pod.Containers[0]
	mounts, named := mountsOf(c), map[string]string{}
	for _, arg := range c.Args {
		if flag, path, _ := strings.Cut(arg, "="); strings.HasPrefix(path, "/") && flag != "--web.telemetry-path" {
			named[flag] = path
		}
	}
	for _, e := range c.Env {
		if strings.HasPrefix(e.Value, "/") {
			named[e.Name] = e.Value
		}
	}
	want := map[string]string{}
	for volume, file := range map[string][2]string{
		"config": {"--config.file", "vulscan.yml"}, "state": {"--state.file", "state.db"},
		"web": {"--web.config.file", "web-config.yml"}, "rrsa": {"ALIBABA_CLOUD_OIDC_TOKEN_FILE", "token"},
	} {
		read := volume != "config" || !slices.Contains(c.Args, "--demo")
		if mounts[volume] != "" && read {
			want[file[0]] = mounts[volume] + "/" + file[1]
		}
	}
	if !maps.Equal(named, want) {
		t.Errorf("files %v, while mounted are %v", named, want)
	}
	for _, m := range c.VolumeMounts {
		if m.ReadOnly == (m.Name == "state") {
			t.Errorf("%s: read only is %v", m.MountPath, m.ReadOnly)
		}
	}
}

// checkFlags compares arguments with the table of docs/flags.md, which a test beside it compares
// with the program.
func checkFlags(t *testing.T, args []string) {
	t.Helper()
	page := read(t, "../../docs/flags.md")
	for _, arg := range args {
		flag, _, _ := strings.Cut(arg, "=")
		if !strings.Contains(page, "`"+flag+"`") {
			t.Errorf("there is no flag %s", flag)
		}
	}
}

func checkVolumes(t *testing.T, objects []any, pod corev1.PodTemplateSpec) {
	t.Helper()
	volumes := map[string]bool{}
	for _, v := range pod.Spec.Volumes {
		volumes[v.Name] = true
	}
	if s := find[appsv1.StatefulSet](objects); s != nil {
		for _, claim := range s.Spec.VolumeClaimTemplates {
			volumes[claim.Name] = true
		}
	}
	for _, m := range pod.Spec.Containers[0].VolumeMounts {
		if !volumes[m.Name] {
			t.Errorf("nothing is there to mount at %s", m.MountPath)
		}
		delete(volumes, m.Name)
	}
	if len(volumes) > 0 {
		t.Errorf("not mounted: %v", volumes)
	}
}

// checkConfiguration loads the configuration as the exporter does, with keys where the Secret is
// mounted.
func checkConfiguration(t *testing.T, text, mounted string) {
	t.Helper()
	if mounted != "" {
		keys := t.TempDir()
		for _, key := range []string{"access_key_id", "access_key_secret"} {
			if err := os.WriteFile(filepath.Join(keys, key), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		text = strings.ReplaceAll(text, mounted+"/", keys+"/")
	}
	if _, err := config.Parse("vulscan.yml", []byte(text)); err != nil {
		t.Errorf("the configuration is refused: %v\n%s", err, text)
	}
}
