package processtest

import (
	"regexp"
	"strconv"
	"testing"
)

func TestShardsPollEveryServerOnce(t *testing.T) {
	t.Parallel()
	polled := map[string]int{}
	up := regexp.MustCompile(`(?m)^aliyun_vulscan_server_up\{.*uuid="([^"]+)"\} 1$`)
	limit := regexp.MustCompile(`(?m)^aliyun_vulscan_api_request_limit\{account="production"\} (\S+)$`)
	for i := range 4 {
		code, stdout, stderr := ended(t, "--demo", "--once", "--shard="+strconv.Itoa(i), "--total-shards=4")
		if code != 0 {
			t.Fatalf("shard %d: exit code %d: %s", i, code, stderr)
		}
		for _, m := range up.FindAllStringSubmatch(stdout, -1) {
			polled[m[1]]++
		}
		if m := limit.FindStringSubmatch(stdout); m == nil || m[1] != "2.5" {
			t.Errorf("shard %d: limit %q, want a quarter of 10", i, m)
		}
	}
	if len(polled) != 25 {
		t.Errorf("%d servers polled, want 25", len(polled))
	}
	for uuid, times := range polled {
		if times != 1 {
			t.Errorf("%s polled by %d shards", uuid, times)
		}
	}
}
