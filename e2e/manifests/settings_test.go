package manifests

import (
	"path/filepath"
	"reflect"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
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

func TestSettingsOfPodsArrive(t *testing.T) {
	set := cases(t)["everything"]
	objects := rendered(t, "everything")
	template, _ := podOf(t, objects)
	pod, c := template.Spec, template.Spec.Containers[0]
	same(t, "image", c.Image, "mirror.example.com/vulscan:v1.2.3")
	same(t, "pullPolicy", c.ImagePullPolicy, "Always")
	same(t, "imagePullSecrets", pod.ImagePullSecrets, set["imagePullSecrets"])
	same(t, "extraArgs", c.Args[len(c.Args)-2:], set["extraArgs"])
	same(t, "extraEnv", c.Env[:1], set["extraEnv"])
	same(t, "extraEnvFrom", c.EnvFrom, set["extraEnvFrom"])
	same(t, "extraVolumes", pod.Volumes[len(pod.Volumes)-1:], set["extraVolumes"])
	same(t, "extraVolumeMounts", c.VolumeMounts[len(c.VolumeMounts)-1:], set["extraVolumeMounts"])
	same(t, "extraContainers", pod.Containers[2].Name, "proxy")
	same(t, "extraInitContainers", pod.InitContainers[0].Name, "wait")
	same(t, "resources", c.Resources.Limits, mapping{"memory": "1Gi"})
	same(t, "podAnnotations", template.Annotations["a"], "b")
	same(t, "labels of the pods", template.Labels, mapping{
		"app.kubernetes.io/name": "scans", "app.kubernetes.io/instance": "vulscan", "cost-center": "42", "team": "security",
	})
	for _, name := range []string{"nodeSelector", "tolerations", "affinity", "priorityClassName", "automountServiceAccountToken"} {
		same(t, name, byName(t, pod, name), set[name])
	}
	same(t, "securityContext", c.SecurityContext.Privileged, false)
	same(t, "podSecurityContext", pod.SecurityContext.FSGroup, 1)
	same(t, "topologySpreadConstraints", pod.TopologySpreadConstraints[0].LabelSelector, mapping{
		"matchLabels": mapping{"app.kubernetes.io/name": "scans", "app.kubernetes.io/instance": "vulscan"},
	})
	same(t, "livenessProbe", c.LivenessProbe, mapping{
		"tcpSocket": mapping{"port": "http"}, "periodSeconds": 20, "timeoutSeconds": 6, "failureThreshold": 4,
	})
	same(t, "readinessProbe", c.ReadinessProbe.HTTPGet, mapping{"path": "/-/ready", "port": "http", "scheme": "HTTPS"})
	same(t, "serviceAccount.name", pod.ServiceAccountName, "scanner")
	secrets := map[string]string{}
	for _, v := range pod.Volumes {
		if v.Secret != nil {
			secrets[v.Name] = v.Secret.SecretName
		}
	}
	same(t, "Secrets", secrets, mapping{"config": "scans-of-production", "credentials": "keys", "web": "web"})
	sidecar := pod.Containers[1]
	same(t, "configReloader.image", sidecar.Image, "mirror.example.com/prometheus-operator/prometheus-config-reloader:v0.87.0")
	same(t, "configReloader.extraArgs", sidecar.Args[len(sidecar.Args)-1], "--log-level=debug")
	same(t, "configReloader.extraEnv", sidecar.Env, set["configReloader"].(mapping)["extraEnv"])
}

// byName returns what a field of an object is, by its name in YAML.
func byName(t *testing.T, object any, name string) any {
	t.Helper()
	text, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	fields := mapping{}
	if err := yaml.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	return fields[name]
}

func TestSettingsOfOtherObjectsArrive(t *testing.T) {
	set := cases(t)["everything"]
	objects := rendered(t, "everything")
	own := mapping{
		"app.kubernetes.io/name": "scans", "app.kubernetes.io/instance": "vulscan", "app.kubernetes.io/version": "v1.2.3",
		"app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "aliyun-vulscan-exporter-0.2.0", "cost-center": "42", "a": "label",
	}
	annotations := mapping{"a": "b"}
	service := find[corev1.Service](objects)
	same(t, "Service", service.ObjectMeta, mapping{"name": "scans-of-production", "labels": own, "annotations": annotations})
	same(t, "service", service.Spec, mapping{
		"type": "NodePort", "selector": mapping{"app.kubernetes.io/name": "scans", "app.kubernetes.io/instance": "vulscan"},
		"ports": []any{
			mapping{"name": "http", "port": 80, "targetPort": "http", "nodePort": 30877},
			mapping{"name": "proxy", "port": 8443, "targetPort": "proxy"},
		},
	})
	ingress := find[networkingv1.Ingress](objects)
	same(t, "Ingress", ingress.ObjectMeta, mapping{"name": "scans-of-production", "labels": own, "annotations": annotations})
	same(t, "ingress", ingress.Spec, mapping{
		"ingressClassName": "nginx", "tls": set["ingress"].(mapping)["tls"],
		"rules": []any{mapping{"host": "vulscan.example.com", "http": mapping{"paths": []any{mapping{
			"path": "/", "pathType": "Prefix", "backend": mapping{"service": mapping{"name": "scans-of-production", "port": mapping{"number": 80}}},
		}}}}},
	})
	route, wanted := find[gatewayv1.HTTPRoute](objects), set["httpRoute"].(mapping)
	same(t, "HTTPRoute", route.ObjectMeta, mapping{"name": "scans-of-production", "labels": own, "annotations": annotations})
	same(t, "httpRoute", route.Spec, mapping{
		"parentRefs": wanted["parentRefs"], "hostnames": wanted["hostnames"],
		"rules": append(wanted["additionalRules"].([]any), mapping{
			"backendRefs": []any{mapping{"name": "scans-of-production", "port": 80}}, "matches": wanted["matches"], "filters": wanted["filters"],
		}),
	})
	workload := find[appsv1.StatefulSet](objects)
	same(t, "deploymentAnnotations", workload.Annotations, annotations)
	same(t, "updateStrategy", workload.Spec.UpdateStrategy, set["updateStrategy"])
	same(t, "revisionHistoryLimit", workload.Spec.RevisionHistoryLimit, 3)
	same(t, "persistence", workload.Spec.VolumeClaimTemplates[0].Spec, mapping{
		"accessModes": []any{"ReadWriteOncePod"}, "storageClassName": "fast", "resources": mapping{"requests": mapping{"storage": "5Gi"}},
	})
	same(t, "serviceAccount.annotations", find[corev1.ServiceAccount](objects).Annotations, mapping{"pod-identity.alibabacloud.com/role-name": "vulscan"})
	budget := find[policyv1.PodDisruptionBudget](objects).Spec
	if budget.MaxUnavailable != nil || budget.MinAvailable.IntValue() != 2 {
		t.Errorf("podDisruptionBudget is %+v", budget)
	}
	more := map[string]bool{}
	for _, c := range all[corev1.ConfigMap](objects) {
		more[c.Name] = true
	}
	if !more["vulscan-more"] || !more["scans-of-production-text"] {
		t.Errorf("extraManifests are not among %v", more)
	}
}

func TestNetworkPolicyLetsThroughWhatIsNeeded(t *testing.T) {
	port := func(number any, protocol string) any { return mapping{"port": number, "protocol": protocol} }
	dns := mapping{"ports": []any{port(53, "UDP"), port(53, "TCP"), port(5353, "UDP"), port(5353, "TCP")}}
	p := find[networkingv1.NetworkPolicy](rendered(t, "default")).Spec
	same(t, "directions", p.PolicyTypes, []any{"Ingress", "Egress"})
	same(t, "in, by default", p.Ingress, []any{mapping{"ports": []any{port("http", "TCP")}}})
	same(t, "out, by default", p.Egress, []any{dns, mapping{"ports": []any{port(443, "TCP")}}})
	set := cases(t)["everything"]["networkPolicy"].(mapping)
	p = find[networkingv1.NetworkPolicy](rendered(t, "everything")).Spec
	tester := mapping{"podSelector": mapping{"matchLabels": mapping{"app.kubernetes.io/name": "scans-test", "app.kubernetes.io/instance": "vulscan"}}}
	same(t, "in", p.Ingress, []any{mapping{
		"ports": []any{port("http", "TCP"), port("proxy", "TCP")}, "from": append(set["from"].([]any), tester),
	}})
	same(t, "out", p.Egress, []any{
		dns,
		mapping{"ports": []any{port(443, "TCP")}, "to": set["to"]},
		mapping{"ports": []any{port(80, "TCP")}, "to": []any{mapping{"ipBlock": mapping{"cidr": "100.100.100.200/32"}}}},
		mapping{"ports": []any{port(3128, "TCP")}},
	})
}

func TestMonitors(t *testing.T) {
	job := mapping{"targetLabel": "job", "replacement": "aliyun_vulscan"} // the same however it is installed
	endpoint := func() mapping {
		return mapping{
			"port": "http", "interval": "1m", "scrapeTimeout": "20s", "path": "/other", "honorLabels": true, "followRedirects": false,
			"tlsConfig":         mapping{"serverName": "vulscan", "ca": mapping{}, "cert": mapping{}},
			"relabelings":       []any{job, mapping{"targetLabel": "cluster", "replacement": "one"}},
			"metricRelabelings": []any{mapping{"sourceLabels": []any{"uuid"}, "action": "labeldrop"}},
		}
	}
	where := mapping{"matchNames": []any{"monitoring"}}
	m := find[monitoringv1.ServiceMonitor](rendered(t, "everything"))
	same(t, "namespace", m.Namespace, "prometheus")
	same(t, "the label that the Operator looks for", m.Labels["release"], "prometheus")
	same(t, "endpoints", m.Spec.Endpoints, []any{endpoint()})
	same(t, "where it looks", m.Spec.NamespaceSelector, where)
	p := find[monitoringv1.PodMonitor](rendered(t, "rest"))
	same(t, "namespace", p.Namespace, "prometheus")
	secure := endpoint()
	secure["scheme"] = "https"
	same(t, "endpoints of pods", p.Spec.PodMetricsEndpoints, []any{secure})
	same(t, "where it looks", p.Spec.NamespaceSelector, where)

	m = find[monitoringv1.ServiceMonitor](rendered(t, "old"))
	same(t, "endpoints with old values", m.Spec.Endpoints, []any{mapping{
		"port": "http", "interval": "30s", "scrapeTimeout": "10s", "path": "/metrics", "scheme": "https",
		"tlsConfig":   mapping{"ca": mapping{"secret": mapping{"name": "ca", "key": "ca.crt"}}, "cert": mapping{}},
		"relabelings": []any{job, mapping{"targetLabel": "cluster", "replacement": "one"}},
	}})
}

func TestDashboardsArriveWhole(t *testing.T) {
	files, err := generated()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all[corev1.ConfigMap](rendered(t, "everything")) {
		if c.Name != "scans-of-production-dashboards" {
			continue
		}
		same(t, "namespace", c.Namespace, "grafana")
		same(t, "the label that Grafana looks for", c.Labels["grafana_dashboard"], "2")
		same(t, "dashboards", c.Data, mapping{
			"aliyun-vulscan-fleet.json":  files[filepath.Join(chartFolder, "dashboards/fleet.json")],
			"aliyun-vulscan-server.json": files[filepath.Join(chartFolder, "dashboards/server.json")],
		})
		return
	}
	t.Error("no dashboards")
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
