package main

import (
	"bytes"
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
		var stdout, stderr bytes.Buffer
		args := []string{"--demo", "--once", "--shard=" + strconv.Itoa(i), "--total-shards=4"}
		if code := run(args, &stdout, &stderr); code != 0 {
			t.Fatalf("shard %d: exit code %d: %s", i, code, &stderr)
		}
		for _, m := range up.FindAllStringSubmatch(stdout.String(), -1) {
			polled[m[1]]++
		}
		if m := limit.FindStringSubmatch(stdout.String()); m == nil || m[1] != "2.5" {
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

func TestShardThatCannotBeIsSaid(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run([]string{"--demo", "--once", "--shard=3", "--total-shards=3"}, &stdout, &stderr); code != 1 {
		t.Errorf("exit code %d", code)
	}
	want := "--shard=3: it must be auto or a number from 0 to 2 (--total-shards less one)\n"
	if stderr.String() != want {
		t.Errorf("got %q, want %q", &stderr, want)
	}
}
