package config

import (
	"slices"
	"testing"
)

func TestShareTakesOwnedServersAndItsPartOfTheQuota(t *testing.T) {
	whole, err := Parse("vulscan.yml", []byte(`
accounts:
  - name: a
    region: cn-hangzhou
    requests_per_second: 10
    task_ids: [t]
    servers:
      - {uuid: 5d55af3c-35f3-4d4d-8ccc-8c5443b00001, labels: {team: x}}
      - {uuid: 5d55af3c-35f3-4d4d-8ccc-8c5443b00002, labels: {rack: y}}
`))
	if err != nil {
		t.Fatal(err)
	}
	second := whole.Accounts[0].Servers[1].UUID
	share := whole.Share(func(uuid string) bool { return uuid == second }, 4)
	a := share.Accounts[0]
	if len(a.Servers) != 1 || a.Servers[0].UUID != second || a.RequestsPerSecond != 2.5 {
		t.Errorf("share: %v servers at %v a second", a.Servers, a.RequestsPerSecond)
	}
	if names := share.LabelNames(); !slices.Equal(names, []string{"rack", "team"}) {
		t.Errorf("label names %q, want those of all servers", names)
	}
	if b := whole.Accounts[0]; len(b.Servers) != 2 || b.RequestsPerSecond != 10 {
		t.Errorf("the whole has changed: %v servers at %v a second", b.Servers, b.RequestsPerSecond)
	}
}
