package manifests

import (
	"path/filepath"
	"reflect"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

// same compares what arrived with what was set, both as YAML has it.
func same(t *testing.T, name string, got, want any) {
	t.Helper()
	var values [2]any
	for i, v := range []any{got, want} {
		text, err := yaml.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, &values[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(values[0], values[1]) {
		t.Errorf("%s is %v, want %v", name, values[0], values[1])
	}
}

func TestSettingsArrive(t *testing.T) {
	set := cases(t)["everything"]
	objects := rendered(t, "everything")
	template, _ := podOf(t, objects)
	pod, c := template.Spec, template.Spec.Containers[0]
	same(t, "image", c.Image, "registry.example.com/vulscan:v1.2.3")
	same(t, "pullPolicy", c.ImagePullPolicy, "Always")
	same(t, "pullSecrets", pod.ImagePullSecrets, []any{map[string]any{"name": "pull"}})
	same(t, "extraArgs", c.Args[len(c.Args)-2:], set["extraArgs"])
	same(t, "extraEnv", c.Env, set["extraEnv"])
	same(t, "resources", c.Resources, map[string]any{
		"requests": map[string]any{"cpu": "50m", "memory": "128Mi"}, "limits": map[string]any{"memory": "512Mi"},
	})
	same(t, "podAnnotations", template.Annotations["a"], "b")
	same(t, "podLabels", template.Labels["team"], "security")
	same(t, "nodeSelector", pod.NodeSelector, set["nodeSelector"])
	same(t, "tolerations", pod.Tolerations, set["tolerations"])
	same(t, "affinity", pod.Affinity, set["affinity"])
	same(t, "topologySpreadConstraints", pod.TopologySpreadConstraints, set["topologySpreadConstraints"])
	same(t, "priorityClassName", pod.PriorityClassName, set["priorityClassName"])
	same(t, "serviceAccount.name", pod.ServiceAccountName, "scanner")
	same(t, "serviceAccount.annotations", find[corev1.ServiceAccount](objects).Annotations, map[string]any{
		"pod-identity.alibabacloud.com/role-name": "vulscan",
	})
	service := find[corev1.Service](objects)
	same(t, "service.port", service.Spec.Ports[0].Port, 80)
	same(t, "service.annotations", service.Annotations, map[string]any{"a": "b"})
	claim := find[appsv1.StatefulSet](objects).Spec.VolumeClaimTemplates[0].Spec
	same(t, "persistence", claim, map[string]any{
		"accessModes": []any{"ReadWriteOnce"}, "storageClassName": "fast",
		"resources": map[string]any{"requests": map[string]any{"storage": "5Gi"}},
	})
	secrets := map[string]string{}
	for _, v := range pod.Volumes {
		if v.Secret != nil {
			secrets[v.Name] = v.Secret.SecretName
		}
	}
	same(t, "Secrets", secrets, map[string]any{"credentials": "keys", "web": "web"})
}

func TestNetworkPolicyLetsThroughWhatIsNeeded(t *testing.T) {
	port := func(number int, protocol string) any { return map[string]any{"port": number, "protocol": protocol} }
	dns := map[string]any{"ports": []any{port(53, "UDP"), port(53, "TCP")}}
	in := []any{map[string]any{"port": "http", "protocol": "TCP"}}
	p := find[networkingv1.NetworkPolicy](rendered(t, "default")).Spec
	same(t, "directions", p.PolicyTypes, []any{"Ingress", "Egress"})
	same(t, "in, by default", p.Ingress, []any{map[string]any{"ports": in}})
	same(t, "out, by default", p.Egress, []any{dns, map[string]any{"ports": []any{port(443, "TCP")}}})
	set := cases(t)["everything"]["networkPolicy"].(map[string]any)
	p = find[networkingv1.NetworkPolicy](rendered(t, "everything")).Spec
	same(t, "in", p.Ingress, []any{map[string]any{"ports": in, "from": set["from"]}})
	same(t, "out", p.Egress, []any{
		dns,
		map[string]any{"ports": []any{port(443, "TCP")}, "to": set["to"]},
		map[string]any{"ports": []any{port(80, "TCP")}, "to": []any{map[string]any{"ipBlock": map[string]any{"cidr": "100.100.100.200/32"}}}},
		map[string]any{"ports": []any{port(3128, "TCP")}},
	})
}

func TestServiceMonitor(t *testing.T) {
	m := find[monitoringv1.ServiceMonitor](rendered(t, "everything"))
	same(t, "the label that the Operator looks for", m.Labels["release"], "prometheus")
	same(t, "endpoints", m.Spec.Endpoints, []any{map[string]any{
		"port": "http", "interval": "30s", "scrapeTimeout": "10s", "scheme": "https",
		"tlsConfig": map[string]any{"ca": map[string]any{"secret": map[string]any{"name": "ca", "key": "ca.crt"}}, "cert": map[string]any{}},
		// The alerts ask for this job.
		"relabelings": []any{
			map[string]any{"targetLabel": "job", "replacement": "aliyun_vulscan"},
			map[string]any{"targetLabel": "cluster", "replacement": "one"},
		},
	}})
}

func TestDashboardsArriveWhole(t *testing.T) {
	files, err := generated()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all[corev1.ConfigMap](rendered(t, "everything")) {
		if c.Name != "vulscan-aliyun-vulscan-exporter-dashboards" {
			continue
		}
		same(t, "the label that Grafana looks for", c.Labels["grafana_dashboard"], "1")
		same(t, "dashboards", c.Data, map[string]any{
			"aliyun-vulscan-fleet.json":  files[filepath.Join(chartFolder, "dashboards/fleet.json")],
			"aliyun-vulscan-server.json": files[filepath.Join(chartFolder, "dashboards/server.json")],
		})
		return
	}
	t.Error("no dashboards")
}

func TestOnlyAChangedConfigurationRestartsPods(t *testing.T) {
	sum := func(values map[string]any) string {
		text, _, err := render(values)
		if err != nil {
			t.Fatal(err)
		}
		pod, _ := podOf(t, decodeAll(t, text))
		return pod.Annotations["checksum/config"]
	}
	before := sum(map[string]any{})
	if sum(map[string]any{"config": map[string]any{"global": map[string]any{"timeout": "5s"}}}) == before {
		t.Error("pods keep the old configuration")
	}
	if sum(map[string]any{"service": map[string]any{"port": 80}, "serviceMonitor": map[string]any{"interval": "1m"}}) != before {
		t.Error("pods restart for nothing")
	}
}

func TestTokenOfTheServiceAccount(t *testing.T) {
	pod, _ := podOf(t, rendered(t, "rrsa"))
	for _, v := range pod.Spec.Volumes {
		if v.Projected == nil {
			continue
		}
		token := v.Projected.Sources[0].ServiceAccountToken
		// Kubernetes refuses less than 10 minutes.
		if token.Path != "token" || token.Audience != "sts.aliyuncs.com" || *token.ExpirationSeconds < 600 {
			t.Errorf("%v", token)
		}
		return
	}
	t.Error("no token")
}
