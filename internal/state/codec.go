package state

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"time"
)

// Numbers are varints, strings and lists begin with their length, times are
// milliseconds since the zero time, and every key and value ends in a checksum.
// A value's covers its key too, so that it is no other server's.

const sumSize = 4

func checksum(prefix, b []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(prefix, table), table, b)
}

// seal appends the checksum of prefix and b to b. In little-endian order the
// checksum of all that ends in its own checksum would be the same, and a value's
// would say nothing of its key.
func seal(prefix, b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, checksum(prefix, b))
}

// unseal gives what was sealed, if it is intact.
func unseal(prefix, b []byte) (content []byte, ok bool) {
	end := len(b) - sumSize
	if end < 0 {
		return nil, false
	}
	return b[:end], binary.BigEndian.Uint32(b[end:]) == checksum(prefix, b[:end])
}

// accountPrefix is what the keys of an account's servers begin with, and those
// of no other account.
func accountPrefix(account string) []byte { return appendString(nil, account) }

func encodeKey(k Key) []byte { return seal(nil, append(accountPrefix(k.Account), k.UUID...)) }

func decodeKey(b []byte) (k Key, ok bool) {
	content, ok := unseal(nil, b)
	r := reader{rest: content, bad: !ok}
	k.Account = r.string()
	k.UUID = string(r.rest)
	return k, !r.bad
}

func encodeMark(key []byte, t time.Time) []byte { return seal(key, appendTime(nil, t)) }

func decodeMark(key, b []byte) (t time.Time, ok bool) {
	content, ok := unseal(key, b)
	r := reader{rest: content, bad: !ok}
	t = r.time()
	return t, r.done()
}

func encodeServer(key []byte, s Server) []byte {
	b := appendTime(make([]byte, 0, 512), s.LastSuccess)
	b = appendTime(b, s.EmptySince)
	b = binary.AppendVarint(b, s.TotalCount)
	b = binary.AppendUvarint(b, uint64(len(s.Subtasks)))
	for _, t := range s.Subtasks {
		b = appendString(b, t.TaskID)
		b = appendString(b, t.Type)
		b = appendFloat(b, t.Status)
		b = appendString(b, t.Code)
		b = appendTime(b, t.Changed)
		b = appendTime(b, t.StatusSince)
		b = appendTime(b, t.Started)
		b = binary.AppendVarint(b, int64(t.Question))
	}
	b = binary.AppendUvarint(b, uint64(len(s.Errors)))
	for _, c := range s.Errors {
		b = appendString(b, c.Type)
		b = appendString(b, c.Code)
		b = appendFloat(b, c.Count)
		b = appendTime(b, c.Created)
	}
	return seal(key, b)
}

func decodeServer(key, b []byte) (s Server, ok bool) {
	content, ok := unseal(key, b)
	r := reader{rest: content, bad: !ok}
	s = Server{LastSuccess: r.time(), EmptySince: r.time(), TotalCount: r.varint()}
	for n := r.length(); n > 0 && !r.bad; n-- {
		s.Subtasks = append(s.Subtasks, Subtask{
			TaskID: r.string(), Type: r.string(), Status: r.float(), Code: r.string(),
			Changed: r.time(), StatusSince: r.time(), Started: r.time(), Question: int(r.varint()),
		})
	}
	for n := r.length(); n > 0 && !r.bad; n-- {
		s.Errors = append(s.Errors, ErrorCount{Type: r.string(), Code: r.string(), Count: r.float(), Created: r.time()})
	}
	return s, r.done()
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendFloat(b []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
}

func appendTime(b []byte, t time.Time) []byte {
	return binary.AppendVarint(b, t.UnixMilli()-time.Time{}.UnixMilli())
}

// reader takes values off the front of rest. Once something does not fit it is
// bad, and gives zeros.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) done() bool { return !r.bad && len(r.rest) == 0 }

// take gives the next n bytes.
func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.rest) {
		r.bad = true
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n == 0 {
		n = -1
	}
	if r.take(n) == nil {
		return 0
	}
	return v
}

// length gives that of a string or list, at most that of the rest: everything
// takes a byte at least.
func (r *reader) length() int {
	v, n := binary.Uvarint(r.rest)
	if n == 0 {
		n = -1
	}
	if r.take(n) == nil || v > uint64(len(r.rest)) {
		r.bad = true
		return 0
	}
	return int(v)
}

func (r *reader) string() string { return string(r.take(r.length())) }

func (r *reader) float() float64 {
	if b := r.take(8); b != nil {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return 0
}

func (r *reader) time() time.Time {
	since := r.varint()
	if since == 0 {
		return time.Time{}
	}
	return time.UnixMilli(since + time.Time{}.UnixMilli())
}
