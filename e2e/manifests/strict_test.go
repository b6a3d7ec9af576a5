package manifests

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	strict "sigs.k8s.io/yaml"
)

// newObject returns the type that a manifest must fit.
func newObject(apiVersion, kind string) (any, error) {
	objects := map[string]any{
		"v1 ConfigMap": &corev1.ConfigMap{}, "v1 Secret": &corev1.Secret{}, "v1 Pod": &corev1.Pod{},
		"v1 Service": &corev1.Service{}, "v1 ServiceAccount": &corev1.ServiceAccount{},
		"v1 PersistentVolumeClaim": &corev1.PersistentVolumeClaim{},
		"apps/v1 Deployment":       &appsv1.Deployment{}, "apps/v1 StatefulSet": &appsv1.StatefulSet{},
		"networking.k8s.io/v1 NetworkPolicy":      &networkingv1.NetworkPolicy{},
		"networking.k8s.io/v1 Ingress":            &networkingv1.Ingress{},
		"gateway.networking.k8s.io/v1 HTTPRoute":  &gatewayv1.HTTPRoute{},
		"policy/v1 PodDisruptionBudget":           &policyv1.PodDisruptionBudget{},
		"monitoring.coreos.com/v1 ServiceMonitor": &monitoringv1.ServiceMonitor{},
		"monitoring.coreos.com/v1 PodMonitor":     &monitoringv1.PodMonitor{},
		"monitoring.coreos.com/v1 PrometheusRule": &monitoringv1.PrometheusRule{},
	}
	if o, known := objects[apiVersion+" "+kind]; known {
		return o, nil
	}
	return nil, fmt.Errorf("%s %s is nothing that the chart should make", apiVersion, kind)
}

// decode returns the objects of several documents; unknown and repeated fields are errors.
func decode(text string) ([]any, error) {
	var objects []any
	reader := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
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
	if len(objects) == 0 {
		t.Fatal("no objects")
	}
	return objects
}

// find returns the object of a type; nil if there is none.
func find[T any](objects []any) *T {
	if found := all[T](objects); len(found) > 0 {
		return found[0]
	}
	return nil
}

// all returns the objects of a type.
func all[T any](objects []any) []*T {
	var found []*T
	for _, o := range objects {
		if one, ok := o.(*T); ok {
			found = append(found, one)
		}
	}
	return found
}

// podOf returns the pods' template, and the labels that select them.
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
			objects := objectsOf(t, values)
			pod, selector := podOf(t, objects)
			if _, own := values["podSecurityContext"]; !own {
				checkSecurity(t, pod)
			}
			checkFlags(t, pod.Spec.Containers[0].Args)
			checkVolumes(t, objects, pod)
			checkSelectors(t, objects, pod.Labels, selector)
			checkPorts(t, objects, pod.Spec.Containers[0])
			checkReferences(t, objects, pod.Spec)
			checkPaths(t, pod.Spec)
			if slices.Contains(pod.Spec.Containers[0].Args, "--demo") {
				return // it has a configuration of its own
			}
			if text := configurationOf(objects); text != "" {
				checkConfiguration(t, text, mountsOf(pod.Spec.Containers[0])["credentials"])
			} else if values["existingConfigMap"] == nil && values["configExistingSecretName"] == nil {
				t.Error("no configuration")
			}
		})
	}
}

// configurationOf returns the configuration that the chart makes; "" for none.
func configurationOf(objects []any) string {
	for _, o := range all[corev1.ConfigMap](objects) {
		if text := o.Data["vulscan.yml"]; text != "" {
			return text
		}
	}
	for _, o := range all[corev1.Secret](objects) {
		if text := o.StringData["vulscan.yml"]; text != "" {
			return text
		}
	}
	return ""
}

// checkSecurity asks for what the restricted Pod Security Standard does, and a read-only root; the
// user and group are the image's.
func checkSecurity(t *testing.T, pod corev1.PodTemplateSpec) {
	t.Helper()
	id, yes, no := int64(65532), true, false
	want := &corev1.PodSecurityContext{
		RunAsNonRoot: &yes, RunAsUser: &id, RunAsGroup: &id, FSGroup: &id,
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	if !reflect.DeepEqual(pod.Spec.SecurityContext, want) {
		t.Errorf("the pod's security context: %v", pod.Spec.SecurityContext)
	}
	wantOfContainer := &corev1.SecurityContext{
		AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	for _, c := range pod.Spec.Containers {
		if !reflect.DeepEqual(c.SecurityContext, wantOfContainer) {
			t.Errorf("the security context of %s: %v", c.Name, c.SecurityContext)
		}
	}
	if pod.Spec.AutomountServiceAccountToken == nil || *pod.Spec.AutomountServiceAccountToken {
		t.Error("the account's token is mounted")
	}
	if grace := pod.Spec.TerminationGracePeriodSeconds; grace == nil || *grace < 10 {
		t.Error("the exporter takes up to 5 s to stop, and has to have them")
	}
}
