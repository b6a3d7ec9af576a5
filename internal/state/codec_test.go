package state

import (
	"bytes"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"aliyun_vulscan_exporter/collector/scan"
)

// at returns a time of day that nobody else uses, to the millisecond.
func at(ms int) scan.Instant {
	return scan.InstantOf(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)) + scan.Instant(ms)
}

func date(year, month, day int) scan.Instant {
	return scan.Instant(time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).UnixMilli())
}

// typical is a server as most are.
func typical(n int) scan.Record {
	s := scan.Record{LastSuccess: at(n), Total: 4}
	for i, typ := range []string{"cve", "sys", "cms", "sca"} {
		s.Subtasks = append(s.Subtasks, scan.Subtask{
			TaskID: "ad8afca3914a5fff4636e67f18e259c7", Type: typ, Status: float64(i + 1),
			Changed: at(n + i), StatusSince: at(n - i), Started: at(n - 1000),
		})
	}
	s.Subtasks[2].Code = "push_command_failed"
	s.Errors = []scan.ErrorCount{{Type: "cms", Code: "push_command_failed", Count: float64(n), Created: at(n)}}
	return s
}

// strange are servers that no documentation knows.
func strange() map[string]scan.Record {
	notUTF8, nul := "\xff\xfe\x80", "a\x00b\x00"
	return map[string]scan.Record{
		"nothing known":   {},
		"never answered":  {Total: -1},
		"extreme numbers": {Total: math.MinInt64, Subtasks: []scan.Subtask{{Question: math.MaxUint16}, {Question: math.MaxUint16}}},
		"no subtasks":     {LastSuccess: at(1), EmptySince: at(2), Total: math.MaxInt64},
		"strange status": {Subtasks: []scan.Subtask{
			{Status: math.NaN()},
			{Status: -1},
			{Status: 1e300},
			{Status: 2.5},
			{Status: math.Inf(1)},
			{Status: math.Copysign(0, -1)},
			{Status: math.Float64frombits(0x7ff8dead00000001)},
		}},
		"any bytes": {
			Subtasks: []scan.Subtask{{TaskID: notUTF8, Type: nul, Code: notUTF8 + nul}, {Code: strings.Repeat("é", 64)}, {Code: strings.Repeat("x", 70_000)}},
			Errors:   []scan.ErrorCount{{Type: nul, Code: notUTF8, Count: 1 << 53}, {Count: math.SmallestNonzeroFloat64}},
		},
		"old times": {LastSuccess: 0, EmptySince: -1, Subtasks: []scan.Subtask{
			{Changed: date(1, 1, 1) + 1, Started: date(-5, 1, 1)},
			{Changed: date(9999, 12, 31) + 86_399_999},
		}},
		"typical": typical(7),
	}
}

// same compares to the bit.
func same(a, b scan.Record) bool {
	for _, r := range []*scan.Record{&a, &b} {
		subtasks, errors := r.Subtasks, r.Errors
		r.Subtasks, r.Errors = nil, nil
		for _, t := range subtasks {
			t.TaskID += "\x00" + bits(t.Status) // NaN is not equal to itself
			t.Status = 0
			r.Subtasks = append(r.Subtasks, t)
		}
		for _, c := range errors {
			c.Type += "\x00" + bits(c.Count)
			c.Count = 0
			r.Errors = append(r.Errors, c)
		}
	}
	return reflect.DeepEqual(a, b)
}

func bits(f float64) string { return strconv.FormatUint(math.Float64bits(f), 16) }

func TestServerSurvivesAsItIs(t *testing.T) {
	for name, want := range strange() {
		got, ok := decodeServer(nil, encodeServer(nil, &want, 0))
		if !ok || !same(got, want) {
			t.Errorf("%s: %+v came back as %+v, %t", name, want, got, ok)
		}
	}
}

// Version 1, whose file the servers above are from too, did not keep it.
func TestTheBeginningOfATaskSurvives(t *testing.T) {
	want := typical(7)
	want.Subtasks[1].Began = at(3)
	if got, ok := decodeServer(nil, encodeServer(nil, &want, 0)); !ok || !same(got, want) {
		t.Errorf("%+v came back as %+v, %t", want, got, ok)
	}
}

func TestTimesFollowTheSystemsClockAndZeroStaysZero(t *testing.T) {
	for _, step := range []time.Duration{0, time.Hour, -999 * time.Millisecond} { // of the system's clock
		want := scan.Record{LastSuccess: at(891), Subtasks: []scan.Subtask{{Changed: at(892)}}}
		got, _ := decodeServer(nil, encodeServer(nil, &want, step))
		if got.LastSuccess != at(891).Add(step) || got.Subtasks[0].Changed != at(892).Add(step) {
			t.Errorf("%+v came back as %+v, with a step of %v", want, got, step)
		}
		if got.EmptySince != 0 || got.Subtasks[0].Started != 0 {
			t.Errorf("no time came back as %v, %v", got.EmptySince, got.Subtasks[0].Started)
		}
	}
}

func TestEveryFlippedBitOfAValueIsNoticed(t *testing.T) {
	key := encodeKey(Key{"a", "u"})
	value := encodeServer(key, new(typical(1)), 0)
	for i := range 8 * len(value) {
		flipped := bytes.Clone(value)
		flipped[i/8] ^= 1 << (i % 8)
		if _, ok := decodeServer(key, flipped); ok {
			t.Fatalf("bit %d", i)
		}
	}
	for n := range value {
		if _, ok := decodeServer(key, value[:n]); ok {
			t.Fatalf("only %d bytes", n)
		}
	}
	if _, ok := decodeServer(encodeKey(Key{"a", "v"}), value); ok {
		t.Error("the value of another server is taken")
	}
}

func TestKeysDifferAndComeBack(t *testing.T) {
	awkward := []string{"", "a", "ab", "b", "\x00", "a\x00", "\x01a", "\xff", "\xff\xfe", "é", strings.Repeat("a", 127), strings.Repeat("a", 128), strings.Repeat("\x00", 300)}
	seen := make(map[string]Key)
	for _, account := range awkward {
		for _, uuid := range awkward {
			want := Key{account, uuid}
			b := encodeKey(want)
			if folded := encodeKey(Key{account, strings.ToUpper(uuid)}); uuid < "\x80" && !bytes.Equal(folded, b) {
				t.Errorf("%q in upper case is another key", want)
			}
			if other, twice := seen[string(b)]; twice {
				t.Fatalf("%q and %q share a key", want, other)
			}
			seen[string(b)] = want
			if got, ok := decodeKey(b); !ok || got != want {
				t.Errorf("%q came back as %q, %t", want, got, ok)
			}
			for _, other := range awkward {
				if bytes.HasPrefix(b, accountPrefix(other)) != (other == account) {
					t.Errorf("prefix of account %q, server of account %q", other, account)
				}
			}
		}
	}
}

func TestFieldsOfLaterVersionsAreSkipped(t *testing.T) {
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 90, protowire.VarintType), 7)
	unknown = protowire.AppendFixed64(protowire.AppendTag(unknown, 91, protowire.Fixed64Type), 7)
	unknown = protowire.AppendFixed32(protowire.AppendTag(unknown, 92, protowire.Fixed32Type), 7)
	unknown = protowire.AppendString(protowire.AppendTag(unknown, 93, protowire.BytesType), "text")
	with := func(b []byte) []byte { return slices.Concat(unknown, b, unknown) }
	subtask, count := typical(3).Subtasks[2], typical(3).Errors[0]
	want := scan.Record{LastSuccess: at(3), Total: 4, Subtasks: []scan.Subtask{subtask}, Errors: []scan.ErrorCount{count}}
	outer := scan.Record{LastSuccess: want.LastSuccess, Total: want.Total}
	content := with(encode(serverFields(&outer), 0))
	for number, inner := range map[protowire.Number][]byte{4: encode(subtaskFields(&subtask), 0), 5: encode(errorFields(&count), 0)} {
		content = protowire.AppendBytes(protowire.AppendTag(content, number, protowire.BytesType), with(inner))
	}
	if got, ok := decodeServer(nil, seal(nil, content)); !ok || !same(got, want) {
		t.Errorf("%+v came back as %+v, %t", want, got, ok)
	}
	if got, ok := decodeMark(nil, seal(nil, with(encode((&goneMark{at(3)}).fields, 0)))); !ok || got != at(3) {
		t.Errorf("a mark came back as %v, %t", got, ok)
	}
}

// FuzzValue checks that no bytes make the decoder panic, and that what it accepts stays the same
// when it is written and read again.
func FuzzValue(f *testing.F) {
	for _, s := range strange() {
		value := encodeServer(nil, &s, 0)
		f.Add(value[:len(value)-sumSize])
	}
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Add([]byte("\x22\x02\x0a\x05")) // a subtask that ends within its first field
	f.Add([]byte{0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, content []byte) {
		decodeServer(nil, content)
		decodeMark(nil, content)
		decodeMark(nil, seal(nil, bytes.Clone(content)))
		decodeMark1(nil, seal(nil, bytes.Clone(content)))
		decodeSummary(content)
		decodeSummary(seal([]byte(versionKey), bytes.Clone(content)))
		if s, ok := decodeServer1(nil, seal(nil, bytes.Clone(content))); ok {
			if again, ok := decodeServer(nil, encodeServer(nil, &s, 0)); !ok || !same(s, again) {
				t.Errorf("%+v of version 1 became %+v", s, again)
			}
		}
		first, ok := decodeServer(nil, seal(nil, bytes.Clone(content)))
		if !ok {
			return
		}
		again, ok := decodeServer(nil, encodeServer(nil, &first, 0))
		if !ok || !same(first, again) {
			t.Errorf("%+v came back as %+v", first, again)
		}
	})
}

// FuzzServer checks that any server comes back as it was.
func FuzzServer(f *testing.F) {
	f.Add("id", "cve", "push_command_failed", 4.0, 2.0, int64(1), int64(1_700_000_000_000), 3, "a", "u")
	f.Add("", "\x00", "\xff", math.NaN(), -1.0, int64(-1), int64(0), -1, "", "\x00")
	f.Fuzz(func(t *testing.T, id, typ, code string, status, count float64, total, ms int64, question int, account, uuid string) {
		if ms < -1<<52 || ms > 1<<52 {
			return // not a time of this world
		}
		when := scan.Instant(ms)
		s := scan.Subtask{TaskID: id, Type: typ, Status: status, Code: code, Changed: when, Started: when, Began: when, Question: uint16(question)}
		want := scan.Record{LastSuccess: when, Total: total, Subtasks: []scan.Subtask{s, s, {}}, Errors: []scan.ErrorCount{{Type: typ, Code: code, Count: count, Created: when}, {}}}
		key := encodeKey(Key{account, uuid})
		if got, ok := decodeServer(key, encodeServer(key, &want, 0)); !ok || !same(got, want) {
			t.Errorf("%+v came back as %+v, %t", want, got, ok)
		}
	})
}

// FuzzKey checks that any key comes back as it was, that no bytes make the decoder panic, and that
// one account's keys are no other's.
func FuzzKey(f *testing.F) {
	f.Add("production", "5d55af3c-35f3-4d4d-8ccc-8c5443b00001", "prod", []byte("\x01a"))
	f.Add("", "", "\x00", []byte{0x80})
	f.Add("\xff\x00", "\x00", "\xff", bytes.Repeat([]byte{0xff}, 20))
	f.Fuzz(func(t *testing.T, account, uuid, other string, raw []byte) {
		want := Key{account, lower(uuid)}
		b := encodeKey(Key{account, uuid})
		if got, ok := decodeKey(b); !ok || got != want {
			t.Errorf("%q came back as %q, %t", want, got, ok)
		}
		if bytes.HasPrefix(b, accountPrefix(other)) != (account == other) {
			t.Errorf("%q begins as those of account %q", want, other)
		}
		decodeKey(raw)
		decodeKey(seal(nil, bytes.Clone(raw)))
	})
}
