package simulator

import (
	"hash/maphash"
	"sync"
	"time"
)

const (
	// nonceLife is twice the accepted clock skew: a call signed 15 minutes ahead of the clock could
	// be replayed for that long.
	nonceLife = 2 * maxClockSkew
	// maxNonces bounds each generation, some 10 MB. It holds 145 calls a second for nonceLife;
	// under a heavier load the oldest are forgotten sooner.
	maxNonces = 1 << 18
)

// nonceMemory remembers nonces in two generations: when the newer is full or old, it becomes the
// older, and the older is forgotten as a whole.
type nonceMemory struct {
	seed maphash.Seed

	mu           sync.Mutex
	newer, older map[uint64]time.Time
	since        time.Time // when the newer generation began
}

func newNonceMemory() *nonceMemory {
	return &nonceMemory{seed: maphash.MakeSeed(), newer: map[uint64]time.Time{}}
}

// use remembers a nonce of a key; false: it was used within nonceLife.
func (m *nonceMemory) use(accessKeyID, nonce string, now time.Time) bool {
	// 64 bits of hash are enough: among half a million nonces the odds of taking a new one for a
	// used one are one in 10^13 a call.
	key := maphash.String(m.seed, accessKeyID+"\x00"+nonce)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn(now)
	for _, generation := range []map[uint64]time.Time{m.newer, m.older} {
		if used, ok := generation[key]; ok && now.Sub(used) < nonceLife {
			return false
		}
	}
	m.newer[key] = now
	return true
}

func (m *nonceMemory) turn(now time.Time) {
	if len(m.newer) < maxNonces && now.Sub(m.since) < nonceLife {
		return
	}
	m.older, m.newer, m.since = m.newer, map[uint64]time.Time{}, now
}
