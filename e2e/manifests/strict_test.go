package manifests

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"

	"aliyun_vulscan_exporter/config"
)

// kinds are all that may be rendered, with the types they must fit.
func newObject(apiVersion, kind string) (any, error) {
	objects := map[string]any{
		"v1 ConfigMap": &corev1.ConfigMap{}, "v1 Service": &corev1.Service{}, "v1 ServiceAccount": &corev1.ServiceAccount{},
		"v1 PersistentVolumeClaim": &corev1.PersistentVolumeClaim{},
		"apps/v1 Deployment":       &appsv1.Deployment{}, "apps/v1 StatefulSet": &appsv1.StatefulSet{},
		"networking.k8s.io/v1 NetworkPolicy":      &networkingv1.NetworkPolicy{},
		"policy/v1 PodDisruptionBudget":           &policyv1.PodDisruptionBudget{},
		"monitoring.coreos.com/v1 ServiceMonitor": &monitoringv1.ServiceMonitor{},
		"monitoring.coreos.com/v1 PrometheusRule": &monitoringv1.PrometheusRule{},
	}
	if o, known := objects[apiVersion+" "+kind]; known {
		return o, nil
	}
	return nil, fmt.Errorf("%s %s is nothing that the chart should make", apiVersion, kind)
}

// decode gives the objects of several documents; unknown and repeated fields
// are errors.
func decode(text string) ([]any, error) {
	var objects []any
	reader := yaml.NewYAMLReader(newBuffer(text))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		asJSON, err := strict.YAMLToJSONStrict(document)
		if err != nil {
			return nil, fmt.Errorf("%w in\n%s", err, document)
		}
		if bytes.Equal(asJSON, []byte("null")) {
			continue
		}
		var head struct{ APIVersion, Kind string }
		if err := json.Unmarshal(asJSON, &head); err != nil {
			return nil, err
		}
		object, err := newObject(head.APIVersion, head.Kind)
		if err != nil {
			return nil, err
		}
		d := json.NewDecoder(bytes.NewReader(asJSON))
		d.DisallowUnknownFields()
		if err := d.Decode(object); err != nil {
			return nil, fmt.Errorf("%s: %w", head.Kind, err)
		}
		objects = append(objects, object)
	}
}

func decodeAll(t *testing.T, text string) []any {
	t.Helper()
	objects, err := decode(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) < 4 {
		t.Fatalf("only %d objects", len(objects))
	}
	return objects
}

// find gives the object of a type; nil if there is none.
func find[T any](objects []any) *T {
	for _, o := range objects {
		if found, ok := o.(*T); ok {
			return found
		}
	}
	return nil
}

// podOf gives the pods' template, and the labels that select them.
func podOf(t *testing.T, objects []any) (corev1.PodTemplateSpec, map[string]string) {
	t.Helper()
	if d := find[appsv1.Deployment](objects); d != nil {
		return d.Spec.Template, d.Spec.Selector.MatchLabels
	}
	s := find[appsv1.StatefulSet](objects)
	if s == nil {
		t.Fatal("nothing runs")
	}
	return s.Spec.Template, s.Spec.Selector.MatchLabels
}

func TestEveryManifestFitsItsType(t *testing.T) {
	for name, values := range cases(t) {
		t.Run(name, func(t *testing.T) {
			text, err := render(t, values)
			if err != nil {
				t.Fatal(err)
			}
			objects := decodeAll(t, text)
			pod, selector := podOf(t, objects)
			checkSecurity(t, pod)
			checkFlags(t, pod.Spec.Containers[0].Args)
			checkVolumes(t, objects, pod)
			for label, value := range selector {
				if pod.Labels[label] != value {
					t.Errorf("pods lack the label %s that selects them", label)
				}
			}
			if service := find[corev1.Service](objects); service.Spec.Selector["app.kubernetes.io/instance"] != "vulscan" ||
				service.Spec.Ports[0].TargetPort.String() != pod.Spec.Containers[0].Ports[0].Name {
				t.Errorf("the service does not lead to the pods: %v", service.Spec)
			}
			if c := find[corev1.ConfigMap](objects); c != nil && c.Data["vulscan.yml"] != "" {
				checkConfiguration(t, c.Data["vulscan.yml"])
			}
		})
	}
}

// checkSecurity asks for what the restricted Pod Security Standard does, and a
// read-only root.
func checkSecurity(t *testing.T, pod corev1.PodTemplateSpec) {
	t.Helper()
	p, c := pod.Spec.SecurityContext, pod.Spec.Containers[0].SecurityContext
	if p == nil || !*p.RunAsNonRoot || *p.RunAsUser == 0 || p.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("the pod's security context: %+v", p)
	}
	if c == nil || *c.AllowPrivilegeEscalation || !*c.ReadOnlyRootFilesystem || !slices.Equal(c.Capabilities.Drop, []corev1.Capability{"ALL"}) {
		t.Errorf("the container's security context: %+v", c)
	}
	if pod.Spec.AutomountServiceAccountToken == nil || *pod.Spec.AutomountServiceAccountToken {
		t.Error("the account's token is mounted")
	}
}

// checkFlags compares arguments with README.md's table, which a test of the
// exporter compares with the program.
func checkFlags(t *testing.T, args []string) {
	t.Helper()
	readme := read(t, "../../README.md")
	for _, arg := range args {
		flag, _, _ := strings.Cut(arg, "=")
		if !strings.Contains(readme, "`"+flag+"`") {
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

// checkConfiguration loads the configuration as the exporter does, except that
// keys are not there.
func checkConfiguration(t *testing.T, text string) {
	t.Helper()
	for _, key := range []string{"access_key_id", "access_key_secret"} {
		text = strings.ReplaceAll(text, key+"_file: /run/credentials/"+key, key+": x")
	}
	if _, err := config.Parse("vulscan.yml", []byte(text)); err != nil {
		t.Errorf("the configuration is refused: %v\n%s", err, text)
	}
}
