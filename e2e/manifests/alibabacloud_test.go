package manifests

import (
	"regexp"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	strict "sigs.k8s.io/yaml"
)

// blocksOf returns the YAML blocks of docs/alibaba-cloud.md whose first line is the given comment,
// without the indentation that those in a list have.
func blocksOf(t *testing.T, comment string) []string {
	t.Helper()
	var found []string
	for _, m := range regexp.MustCompile("(?ms)^( *)```yaml\n(.*?)^ *```$").FindAllStringSubmatch(read(t, "../../docs/alibaba-cloud.md"), -1) {
		if text := regexp.MustCompile("(?m)^"+m[1]).ReplaceAllString(m[2], ""); strings.HasPrefix(text, "# "+comment+"\n") {
			found = append(found, text)
		}
	}
	if len(found) < 3 {
		t.Fatalf("only %d blocks of %s", len(found), comment)
	}
	return found
}

func TestManifestsOfAlibabaCloudPageFindTheChartsPods(t *testing.T) {
	values := map[string]any{}
	if err := strict.UnmarshalStrict([]byte(blocksOf(t, "values.yaml")[0]), &values); err != nil {
		t.Fatal(err)
	}
	text, _, err := render(values)
	if err != nil {
		t.Fatal(err)
	}
	service := find[corev1.Service](decodeAll(t, text))
	if service == nil {
		t.Fatal("no Service")
	}
	for _, manifest := range blocksOf(t, "kubectl apply -f") {
		var head struct{ Kind string }
		if err := strict.Unmarshal([]byte(manifest), &head); err != nil {
			t.Fatal(err)
		}
		object, isKnown := map[string]any{
			"Namespace": &corev1.Namespace{}, "ServiceMonitor": &monitoringv1.ServiceMonitor{}, "PodMonitor": &monitoringv1.PodMonitor{},
		}[head.Kind]
		if !isKnown {
			t.Errorf("nothing is known of a %s", head.Kind)
			continue
		}
		if err := strict.UnmarshalStrict([]byte(manifest), object); err != nil {
			t.Errorf("%v in\n%s", err, manifest)
		}
		var labels map[string]string
		var port string
		switch o := object.(type) {
		case *monitoringv1.ServiceMonitor:
			labels, port = o.Spec.Selector.MatchLabels, o.Spec.Endpoints[0].Port
		case *monitoringv1.PodMonitor:
			labels, port = o.Spec.Selector.MatchLabels, *o.Spec.PodMetricsEndpoints[0].Port
		default:
			continue
		}
		for name, value := range labels {
			if service.Labels[name] != value || service.Spec.Selector[name] != value {
				t.Errorf("a %s selects %s=%s, the chart's Service has %v and selects %v", head.Kind, name, value, service.Labels, service.Spec.Selector)
			}
		}
		if port != service.Spec.Ports[0].Name || len(labels) == 0 {
			t.Errorf("a %s of %v takes the port %s", head.Kind, labels, port)
		}
	}
}

func TestValuesOfAlibabaCloudPageGiveTheRoleToThePod(t *testing.T) {
	for _, block := range blocksOf(t, "values.yaml") {
		values := map[string]any{}
		if err := strict.UnmarshalStrict([]byte(block), &values); err != nil {
			t.Fatal(err)
		}
		text, _, err := render(values)
		if err != nil {
			t.Errorf("%v in\n%s", err, block)
			continue
		}
		objects := decodeAll(t, text)
		account := find[corev1.ServiceAccount](objects)
		if strings.Contains(block, "name: vulscan\n") && (account == nil || account.Name != "vulscan") {
			t.Errorf("the service account is not what the trust policy names: %+v", account)
		}
		if strings.Contains(block, "roleArn") && !strings.Contains(text, "ALIBABA_CLOUD_OIDC_TOKEN_FILE") {
			t.Errorf("the pod has no token in\n%s", text)
		}
		if strings.Contains(block, "extraEnv") && !strings.Contains(text, "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED") {
			t.Errorf("the pod has no environment in\n%s", text)
		}
	}
}
