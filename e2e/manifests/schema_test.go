package manifests

import (
	"strings"
	"testing"
)

func TestTheSchemaRefusesMistakes(t *testing.T) {
	argument := func(flag string) mapping { return mapping{"extraArgs": []any{flag}} }
	for name, values := range map[string]mapping{
		"an unknown value":             {"shard": 3},
		"an unknown mode":              {"mode": "daemonset"},
		"no shards":                    {"shards": 0},
		"too many shards":              {"shards": 1025},
		"text for a switch":            {"persistence": mapping{"enabled": "yes"}},
		"an odd size":                  {"persistence": mapping{"size": "much"}},
		"an argument, no flag":         argument("debug"),
		"a flag of the chart":          argument("--config.file=/x"),
		"a flag that ends":             argument("--once"),
		"another one":                  argument("--config.check"),
		"no account":                   {"config": mapping{"accounts": []any{}}},
		"an unknown key inside":        {"rrsa": mapping{"role": "x"}},
		"two jobs' names":              {"serviceMonitor": mapping{"endpoint": mapping{"relabelings": []any{}}}},
		"pull secrets as text":         {"image": mapping{"pullSecrets": "regcred"}},
		"old pull secrets as texts":    {"image": mapping{"pullSecrets": []any{"regcred"}}},
		"pull secrets as texts":        {"imagePullSecrets": []any{"regcred"}},
		"a pod label that selects":     {"podLabels": mapping{"app.kubernetes.io/name": "x"}},
		"another one that selects":     {"podLabels": mapping{"app.kubernetes.io/instance": "x"}},
		"a common label that selects":  {"commonLabels": mapping{"app.kubernetes.io/name": "x"}},
		"a Service label that selects": {"service": mapping{"labels": mapping{"app.kubernetes.io/instance": "x"}}},
		"a label's value with a space": {"podLabels": mapping{"a": "b c"}},
		"a tag that is none":           {"image": mapping{"tag": "v1+build"}},
		"a digest that is none":        {"image": mapping{"digest": "aaaa"}},
		"the port's name twice":        {"service": mapping{"ports": []any{mapping{"name": "http", "port": 80}}}},
		"a mount without a name":       {"extraVolumeMounts": []any{mapping{"mountPath": "/x"}}},
		"a host without a name":        {"ingress": mapping{"hosts": []any{mapping{"paths": []any{}}}}},
	} {
		if _, _, err := render(values); err == nil || !strings.Contains(err.Error(), "checking values") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What values mean together is refused while rendering, with the values' names.
func TestValuesThatExcludeEachOtherAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		values mapping
		says   string
	}{
		"RRSA without a role":     {mapping{"rrsa": mapping{"enabled": true}}, "rrsa.roleArn"},
		"RRSA without a provider": {mapping{"rrsa": mapping{"enabled": true, "roleArn": "x"}}, "rrsa.oidcProviderArn"},
		"two monitors":            {mapping{"serviceMonitor": mapping{"enabled": true}, "podMonitor": mapping{"enabled": true}}, "podMonitor"},
		"two configurations":      {mapping{"existingConfigMap": "a", "configExistingSecretName": "b"}, "configExistingSecretName"},
		"two web configurations":  {mapping{"web": mapping{"existingSecret": "a"}, "extraArgs": []any{"--web.config.file=/x"}}, "web.existingSecret"},
		"one claim, many pods":    {mapping{"mode": "statefulset", "persistence": mapping{"existingClaim": "a"}}, "persistence.existingClaim"},
		"a shard of one's own":    {mapping{"mode": "statefulset", "extraArgs": []any{"--log.level=debug", "--shard=1"}}, "shards"},
		"only loopback":           {mapping{"extraArgs": []any{"--web.listen-address=localhost:10877"}}, "livenessProbe"},
		"a socket":                {mapping{"extraArgs": []any{"--web.listen-address=vsock://:10877"}}, "HOST:PORT"},
		"an Ingress of no host":   {mapping{"ingress": mapping{"enabled": true}}, "ingress.hosts"},
		"a route of no Gateway":   {mapping{"httpRoute": mapping{"enabled": true}}, "httpRoute.parentRefs"},
		"an unknown setting":      {mapping{"prometheusRule": mapping{"enabled": true, "settings": mapping{"nothing": "1"}}}, "nothing"},
	} {
		if _, _, err := render(c.values); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
