package manifests

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
)

func TestShardsShareTheServers(t *testing.T) {
	s := find[appsv1.StatefulSet](rendered(t, "statefulset"))
	if s == nil || *s.Spec.Replicas != 4 || s.Spec.PodManagementPolicy != appsv1.ParallelPodManagement {
		t.Fatalf("%+v", s)
	}
	args := s.Spec.Template.Spec.Containers[0].Args
	for _, want := range []string{"--shard=auto", "--total-shards=4", "--state.file=/var/lib/aliyun_vulscan_exporter/state.db"} {
		if !slices.Contains(args, want) {
			t.Errorf("no %s in %q", want, args)
		}
	}
	if len(s.Spec.VolumeClaimTemplates) != 1 {
		t.Errorf("%d claims a pod", len(s.Spec.VolumeClaimTemplates))
	}
}

func TestOnePodIsNeverTwo(t *testing.T) {
	d := find[appsv1.Deployment](rendered(t, "default"))
	if d == nil || *d.Spec.Replicas != 1 || d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		t.Fatalf("%+v", d)
	}
	if p := find[policyv1.PodDisruptionBudget](rendered(t, "default")); p.Spec.MaxUnavailable == nil || p.Spec.MaxUnavailable.IntValue() != 1 {
		t.Errorf("a drain cannot work: %+v", p.Spec)
	}
	if c := find[corev1.PersistentVolumeClaim](rendered(t, "default")); c == nil || c.Spec.Resources.Requests.Storage().IsZero() {
		t.Errorf("no volume for the state: %+v", c)
	}
}

func TestRoleByOIDCNeedsNoSecret(t *testing.T) {
	pod, _ := podOf(t, rendered(t, "rrsa"))
	environment := map[string]string{}
	for _, e := range pod.Spec.Containers[0].Env {
		environment[e.Name] = e.Value
	}
	if environment["ALIBABA_CLOUD_ROLE_ARN"] == "" || environment["ALIBABA_CLOUD_OIDC_PROVIDER_ARN"] == "" {
		t.Errorf("environment %v", environment)
	}
	for _, v := range pod.Spec.Volumes {
		if v.Secret != nil {
			t.Errorf("a Secret is mounted: %s", v.Name)
		}
	}
}

// A field that Kubernetes does not know must not get through.
func TestUnknownFieldsAreFound(t *testing.T) {
	text, _, err := render(mapping{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"readOnlyRootFilesystem: true", "readOnlyRootFileSystems: true"},
		{"kind: NetworkPolicy", "kind: NetworkPolicies"},
		{"maxUnavailable: 1", "maxUnavailable: 1\n  maxUnavailable: 1"},
	} {
		broken := strings.Replace(text, c[0], c[1], 1)
		if broken == text {
			t.Errorf("there is no %s to break", c[0])
		}
		if _, err := decode(broken); err == nil {
			t.Errorf("%s is accepted", c[1])
		}
	}
}
