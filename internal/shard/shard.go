// Package shard says which of several exporters polls a server. It knows nothing of polling.
package shard

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"strconv"

	"aliyun_vulscan_exporter/config"
)

// Auto is the index that stands for the ordinal of a StatefulSet's pod.
const Auto = "auto"

// Most is how many shards there may be: what owns a server is looked for among all.
const Most = 1024

// Shard is one of Total exporters that share the servers. Index counts from 0.
type Shard struct{ Index, Total int }

var ordinal = regexp.MustCompile(`-([0-9]+)$`)

// Parse reads the values of --shard and --total-shards. hostname is asked only where index is
// "auto".
func Parse(index string, total int, hostname func() (string, error)) (Shard, error) {
	if total < 1 || total > Most {
		return Shard{}, fmt.Errorf("--total-shards=%d: it must be from 1 to %d", total, Most)
	}
	if index == Auto {
		host, err := hostname()
		if err != nil {
			return Shard{}, fmt.Errorf("--shard=auto: the host name cannot be read: %w", err)
		}
		m := ordinal.FindStringSubmatch(host)
		if m == nil {
			return Shard{}, fmt.Errorf("--shard=auto: the host name %q does not end in a pod's ordinal such as -0; give the number", host)
		}
		index = m[1]
	}
	n, err := strconv.Atoi(index)
	if err != nil || n < 0 || n >= total {
		return Shard{}, fmt.Errorf("--shard=%s: it must be auto or a number from 0 to %d (--total-shards less one)", index, total-1)
	}
	return Shard{n, total}, nil
}

// Owns reports whether this shard polls the server. It is rendezvous hashing: every shard draws a
// number for the server and the highest draw owns it, so that one more shard takes servers from all
// others and moves no other.
func (s Shard) Owns(uuid string) bool {
	best, owner := uint64(0), 0
	for i := range s.Total {
		if drawn := draw(uuid, i); i == 0 || drawn > best {
			best, owner = drawn, i
		}
	}
	return owner == s.Index
}

// draw returns the shard's number for a server, however its UUID is spelt.
func draw(uuid string, shard int) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(config.ServerKey(uuid))) // a hash never fails
	n := h.Sum64() + uint64(shard)*0x9e3779b97f4a7c15
	// FNV mixes its last bytes badly; this is the finalizer of SplitMix64.
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}
