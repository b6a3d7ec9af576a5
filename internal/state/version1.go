package state

import (
	"bytes"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"aliyun_vulscan_exporter/collector/scan"
)

// Version 1 wrote the parts of a value one after the other, without numbers, and kept a UUID as it
// was spelt. A file of version 1 is converted when it is opened.

// converted is an entry of version 1 in its present form.
type converted struct {
	value       []byte
	lastSuccess scan.Instant
	gone        scan.Instant // 0: the server is polled
}

// convert rewrites a file of version 1 within tx. A damaged value is taken over as it is: Restore
// reports it. Of two entries of one server, however spelt, the one with the newer last success
// stays.
func convert(tx *transaction) error {
	entries := make(map[string]converted)
	gone := tx.Bucket([]byte(goneBucket))
	err := tx.Bucket([]byte(serverBucket)).ForEach(func(k, v []byte) error {
		key, _ := decodeKey(k) // inspect found all keys intact
		folded := encodeKey(Key{key.Account, scan.KeyOf(key.UUID)})
		c := converted{value: bytes.Clone(v), gone: decodeMark1(k, gone.Get(k))}
		if server, ok := decodeServer1(k, v); ok {
			c.value, c.lastSuccess = encodeServer(folded, &server, 0), server.LastSuccess
		}
		if other, twice := entries[string(folded)]; !twice || c.lastSuccess > other.lastSuccess {
			entries[string(folded)] = c
		}
		return nil
	})
	for _, name := range []string{serverBucket, goneBucket} {
		if err == nil {
			err = tx.DeleteBucket([]byte(name))
		}
		if err == nil {
			_, err = tx.CreateBucket([]byte(name))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(entries)) {
		if err == nil {
			err = tx.put(serverBucket, []byte(k), entries[k].value)
		}
		if since := entries[k].gone; err == nil && since != 0 {
			err = tx.put(goneBucket, []byte(k), encodeMark([]byte(k), since))
		}
	}
	return err
}

// decodeMark1 returns 0 for a mark that is missing or damaged.
func decodeMark1(key, b []byte) scan.Instant {
	content, ok := unseal(key, b)
	r := reader{rest: content, bad: !ok}
	t := r.time()
	if !r.done() {
		return 0
	}
	return t
}

func decodeServer1(key, b []byte) (s scan.Record, ok bool) {
	content, ok := unseal(key, b)
	r := reader{rest: content, bad: !ok}
	s = scan.Record{LastSuccess: r.time(), EmptySince: r.time(), Total: r.int()}
	for n := r.number(); n > 0 && !r.bad; n-- {
		s.Subtasks = append(s.Subtasks, scan.Subtask{
			TaskID: r.string(), Type: r.string(), Status: r.float(), Code: r.string(),
			Changed: r.time(), StatusSince: r.time(), Started: r.time(), Question: uint16(r.int()),
		})
	}
	for n := r.number(); n > 0 && !r.bad; n-- {
		s.Errors = append(s.Errors, scan.ErrorCount{Type: r.string(), Code: r.string(), Count: r.float(), Created: r.time()})
	}
	return s, r.done()
}

// reader reads values from the front of rest. When a value does not fit, bad is set, and from then
// on everything reads as zero.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) done() bool { return !r.bad && len(r.rest) == 0 }

// skip takes n bytes off. protowire returns a negative n for bytes that do not fit.
func (r *reader) skip(n int) {
	if n < 0 {
		r.rest, r.bad = nil, true
		return
	}
	r.rest = r.rest[n:]
}

func (r *reader) number() uint64 {
	v, n := protowire.ConsumeVarint(r.rest)
	r.skip(n)
	return v
}

func (r *reader) float() float64 {
	v, n := protowire.ConsumeFixed64(r.rest)
	r.skip(n)
	return math.Float64frombits(v)
}

func (r *reader) string() string {
	v, n := protowire.ConsumeString(r.rest)
	r.skip(n)
	return v
}

func (r *reader) int() int64         { return protowire.DecodeZigZag(r.number()) }
func (r *reader) time() scan.Instant { return afterZero(r.int()) }
