package state

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"aliyun_vulscan_exporter/collector/scan"
)

// Every key and value ends in a checksum. The checksum of a value covers its key too, so that a
// value under another server's key is noticed.

const sumSize = 4

func checksum(prefix, b []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(prefix, table), table, b)
}

// seal appends the checksum of prefix and b to b, in big-endian order. In little-endian order the
// checksum of a value would not depend on its key: the CRC of a text that ends in its own
// little-endian CRC is always the same.
func seal(prefix, b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, checksum(prefix, b))
}

// storedSum returns the checksum at the end of b, 0 if b is too short for one.
func storedSum(b []byte) uint32 {
	if len(b) < sumSize {
		return 0
	}
	return binary.BigEndian.Uint32(b[len(b)-sumSize:])
}

// unseal returns what was sealed, and whether it is intact.
func unseal(prefix, b []byte) (content []byte, ok bool) {
	if len(b) < sumSize {
		return nil, false
	}
	content = b[:len(b)-sumSize]
	return content, storedSum(b) == checksum(prefix, content)
}

// accountPrefix returns the first bytes of the keys of an account's servers. No key of another
// account begins with them.
func accountPrefix(account string) []byte {
	return protowire.AppendString(nil, account)
}

// encodeKey returns the same key however the letters of the UUID are written.
func encodeKey(k Key) []byte {
	return seal(nil, append(accountPrefix(k.Account), lower(k.UUID)...))
}

func decodeKey(b []byte) (k Key, ok bool) {
	content, ok := unseal(nil, b)
	account, n := protowire.ConsumeString(content)
	if !ok || n < 0 {
		return Key{}, false
	}
	return Key{Account: account, UUID: string(content[n:])}, true
}

// lower folds ASCII letters only: strings.ToLower would change bytes that are not UTF-8, and two
// keys could become one.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// summary is stored with every transaction. Its field 1 and its checksum must stay as they are in
// all versions, because an older program decides by them that a file is too new for it.
type summary struct {
	version uint64
	sums    uint64 // of the checksums of all values in both buckets
}

func (s *summary) fields(c *coder) {
	c.uint(1, &s.version)
	c.uint(2, &s.sums)
	text := mark
	c.text(3, &text)
}

func encodeSummary(s summary) []byte { return seal([]byte(versionKey), encode(s.fields, 0)) }

func decodeSummary(b []byte) (s summary, ok bool) {
	if string(b) == "1" { // all that version 1 said
		return summary{version: 1}, true
	}
	content, ok := unseal([]byte(versionKey), b)
	ok = ok && decode(content, s.fields) && s.version > 1
	return s, ok
}

// goneMark says since when a server is not polled.
type goneMark struct{ since scan.Instant }

func (m *goneMark) fields(c *coder) { c.time(1, &m.since) }

func encodeMark(key []byte, t scan.Instant) []byte {
	return seal(key, encode((&goneMark{t}).fields, 0))
}

func decodeMark(key, b []byte) (t scan.Instant, ok bool) {
	content, ok := unseal(key, b)
	var m goneMark
	ok = ok && decode(content, m.fields)
	return m.since, ok
}

func encodeServer(key []byte, r *scan.Record, step time.Duration) []byte {
	return seal(key, encode(serverFields(r), step))
}

func decodeServer(key, b []byte) (r scan.Record, ok bool) {
	content, ok := unseal(key, b)
	ok = ok && decode(content, serverFields(&r))
	return r, ok
}

// serverFields lists what of a record is kept.
func serverFields(r *scan.Record) func(*coder) {
	return func(c *coder) {
		c.time(1, &r.LastSuccess)
		c.time(2, &r.EmptySince)
		c.int(3, &r.Total)
		list(c, 4, &r.Subtasks, subtaskFields)
		list(c, 5, &r.Errors, errorFields)
	}
}

func subtaskFields(t *scan.Subtask) func(*coder) {
	return func(c *coder) {
		c.text(1, &t.TaskID)
		c.text(2, &t.Type)
		c.float(3, &t.Status)
		c.text(4, &t.Code)
		c.time(5, &t.Changed)
		c.time(6, &t.StatusSince)
		c.time(7, &t.Started)
		question := int64(t.Question)
		if c.int(8, &question); c.reading {
			t.Question = uint16(question)
		}
		c.time(9, &t.Began)
	}
}

func errorFields(e *scan.ErrorCount) func(*coder) {
	return func(c *coder) {
		c.text(1, &e.Type)
		c.text(2, &e.Code)
		c.float(3, &e.Count)
		c.time(4, &e.Created)
	}
}
