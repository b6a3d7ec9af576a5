package manifests

import (
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

const digest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// Whatever an image is called, Kubernetes has to accept the labels.
func TestLabelsAreLegal(t *testing.T) {
	long := strings.Repeat("v1.", 30) + "-x"
	for name, c := range map[string]struct {
		values         mapping
		image, version string
	}{
		"a tag":               {mapping{"tag": "v1.2.3"}, "aliyun_vulscan_exporter:v1.2.3", "v1.2.3"},
		"none":                {mapping{}, "aliyun_vulscan_exporter:latest", "latest"},
		"a tag with a digest": {mapping{"tag": "v1@" + digest}, "aliyun_vulscan_exporter:v1@" + digest, "v1"},
		"a digest":            {mapping{"digest": digest}, "aliyun_vulscan_exporter@" + digest, "aaaaaaaaaaaa"},
		"a digest and a tag":  {mapping{"digest": digest, "tag": "v1"}, "aliyun_vulscan_exporter@" + digest, "v1"},
		"a long tag":          {mapping{"tag": long}, "aliyun_vulscan_exporter:" + long, strings.TrimSuffix(long[:63], ".")},
		"an odd end":          {mapping{"tag": "v1_"}, "aliyun_vulscan_exporter:v1_", "v1"},
		"a registry":          {mapping{"registry": "registry.example.com/", "repository": "a/b"}, "registry.example.com/a/b:latest", "latest"},
	} {
		t.Run(name, func(t *testing.T) {
			objects := objectsOf(t, mapping{"image": c.values, "serviceMonitor": mapping{"enabled": true}, "nameOverride": strings.Repeat("long", 20)})
			pod, _ := podOf(t, objects)
			same(t, "image", pod.Spec.Containers[0].Image, c.image)
			same(t, "version", find[corev1.Service](objects).Labels["app.kubernetes.io/version"], c.version)
			sets := []map[string]string{pod.Labels}
			for _, o := range objects {
				sets = append(sets, o.(metav1.Object).GetLabels())
			}
			for _, labels := range sets {
				for key, v := range labels {
					if problems := append(validation.IsValidLabelValue(v), validation.IsQualifiedName(key)...); len(problems) > 0 {
						t.Errorf("%s: %q: %v", key, v, problems)
					}
				}
			}
		})
	}
}

func TestConfigurationsWithKeysAreSecrets(t *testing.T) {
	with := func(credentials mapping) mapping {
		return mapping{"config": mapping{"accounts": []any{mapping{"name": "a"}, mapping{"name": "b", "region": "cn-hangzhou", "credentials": credentials}}}}
	}
	for name, c := range map[string]struct {
		values mapping
		secret bool
	}{
		"files":             {mapping{}, false},
		"a key":             {with(mapping{"access_key_id": "KEY"}), true},
		"a secret":          {with(mapping{"access_key_id_file": "/f", "access_key_secret": "KEY"}), true},
		"a token":           {with(mapping{"security_token": "KEY"}), true},
		"hidden anyway":     {mapping{"secretConfig": true}, true},
		"a Secret of yours": {mapping{"configExistingSecretName": "mine"}, true},
	} {
		text, _, err := render(c.values)
		if err != nil {
			t.Fatal(err)
		}
		objects := decodeAll(t, text)
		for _, o := range all[corev1.ConfigMap](objects) {
			if strings.Contains(o.Data["vulscan.yml"], "KEY") {
				t.Errorf("%s: a ConfigMap has the key", name)
			}
		}
		pod, _ := podOf(t, objects)
		volume := pod.Spec.Volumes[0]
		if volume.Name != "config" || (volume.Secret != nil) != c.secret || (volume.ConfigMap != nil) == c.secret {
			t.Errorf("%s: mounted is %+v", name, volume.VolumeSource)
		}
		made := len(all[corev1.Secret](objects)) == 1
		if made != (c.secret && c.values["configExistingSecretName"] == nil) {
			t.Errorf("%s: %d Secrets", name, len(all[corev1.Secret](objects)))
		}
	}
}

// templateOf returns the pods' template for values, with a configuration that differs if changed is
// set.
func templateOf(t *testing.T, values mapping, changed bool) corev1.PodTemplateSpec {
	t.Helper()
	all := mapping{}
	for key, v := range values {
		all[key] = v
	}
	if changed {
		all["config"] = mapping{"global": mapping{"timeout": "5s"}}
	}
	pod, _ := podOf(t, objectsOf(t, all))
	return pod
}

func TestAChangedConfigurationTakesEffect(t *testing.T) {
	web, url := mapping{"existingSecret": "web"}, mapping{"reloadURL": "https://u:$(P)@127.0.0.1:10877/-/reload"}
	for name, c := range map[string]struct {
		values   mapping
		restarts bool
	}{
		"by default":                   {mapping{}, false},
		"shards":                       {mapping{"mode": "statefulset"}, false},
		"no sidecar":                   {mapping{"configReloader": mapping{"enabled": false}}, true},
		"a web configuration":          {mapping{"web": web}, true},
		"a web configuration and keys": {mapping{"web": web, "configReloader": url}, false},
	} {
		before, after := templateOf(t, c.values, false), templateOf(t, c.values, true)
		if restarts := !reflect.DeepEqual(before, after); restarts != c.restarts {
			t.Errorf("%s: pods restart is %v", name, restarts)
		}
		if c.restarts {
			if len(after.Spec.Containers) != 1 {
				t.Errorf("%s: a sidecar that is not needed", name)
			}
			continue
		}
		exporter, sidecar := after.Spec.Containers[0], after.Spec.Containers[1]
		args := strings.Join(sidecar.Args, " ")
		if !strings.Contains(args, "--watched-dir="+mountsOf(exporter)["config"]+" ") || mountsOf(sidecar)["config"] != mountsOf(exporter)["config"] {
			t.Errorf("%s: the sidecar watches something else: %s, %v", name, args, sidecar.VolumeMounts)
		}
		if !strings.Contains(strings.Join(exporter.Args, " "), "--web.enable-lifecycle") {
			t.Errorf("%s: nothing may be reloaded", name)
		}
	}
	if !reflect.DeepEqual(templateOf(t, mapping{"service": mapping{"port": 80}, "serviceMonitor": mapping{"enabled": true}}, false), templateOf(t, mapping{}, false)) {
		t.Error("pods restart for nothing")
	}
}

func TestStateFindsItsVolume(t *testing.T) {
	fast := "fast"
	none := ""
	for name, c := range map[string]struct {
		values  mapping
		class   *string
		claimed string
	}{
		"the default class": {mapping{}, nil, "vulscan-aliyun-vulscan-exporter"},
		"a class":           {mapping{"storageClassName": fast}, &fast, "vulscan-aliyun-vulscan-exporter"},
		"no class":          {mapping{"storageClassName": "-"}, &none, "vulscan-aliyun-vulscan-exporter"},
		"a claim of yours":  {mapping{"existingClaim": "mine"}, nil, "mine"},
		"without a volume":  {mapping{"enabled": false}, nil, ""},
	} {
		objects := objectsOf(t, mapping{"persistence": c.values})
		pod, _ := podOf(t, objects)
		if !strings.Contains(strings.Join(pod.Spec.Containers[0].Args, " "), "--state.file=") {
			t.Errorf("%s: no state", name)
		}
		for _, v := range pod.Spec.Volumes {
			if v.Name == "state" && v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName != c.claimed ||
				v.Name == "state" && (v.EmptyDir != nil) != (c.claimed == "") {
				t.Errorf("%s: the state is on %+v", name, v.VolumeSource)
			}
		}
		if claim := find[corev1.PersistentVolumeClaim](objects); claim != nil && !reflect.DeepEqual(claim.Spec.StorageClassName, c.class) {
			t.Errorf("%s: class %v", name, claim.Spec.StorageClassName)
		} else if (claim != nil) != (c.claimed == "vulscan-aliyun-vulscan-exporter") {
			t.Errorf("%s: claim %v", name, claim)
		}
	}
}

func TestOpenShiftChoosesTheUser(t *testing.T) {
	pod, _ := podOf(t, rendered(t, "openshift"))
	c := pod.Spec.SecurityContext
	if c.RunAsUser != nil || c.RunAsGroup != nil || c.FSGroup != nil || c.RunAsNonRoot == nil || !*c.RunAsNonRoot {
		t.Errorf("%+v", c)
	}
}

// The values of chart 0.1.0 make what the present names make.
func TestOldNamesKeepWorking(t *testing.T) {
	old := cases(t)["old"]
	present, _ := without(old, "image", "pullSecrets")
	present, _ = without(present, "prometheusRule", "labels")
	before, _, err := render(present)
	if err != nil {
		t.Fatal(err)
	}
	present["imagePullSecrets"] = old["image"].(mapping)["pullSecrets"]
	present["prometheusRule"].(mapping)["additionalLabels"] = old["prometheusRule"].(mapping)["labels"]
	want, _, err := render(present)
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := render(old); err != nil || got != want || got == before {
		t.Errorf("the old names make something else: %v", err)
	}
}
