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
)

// at returns a time of day that nobody else uses, to the millisecond.
func at(ms int) time.Time {
	return time.UnixMilli(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC).UnixMilli() + int64(ms))
}

// typical is a server as most are.
func typical(n int) Server {
	s := Server{LastSuccess: at(n), TotalCount: 4}
	for i, typ := range []string{"cve", "sys", "cms", "sca"} {
		s.Subtasks = append(s.Subtasks, Subtask{
			TaskID: "ad8afca3914a5fff4636e67f18e259c7", Type: typ, Status: float64(i + 1),
			Changed: at(n + i), StatusSince: at(n - i), Started: at(n - 1000),
		})
	}
	s.Subtasks[2].Code = "push_command_failed"
	s.Errors = []ErrorCount{{Type: "cms", Code: "push_command_failed", Count: float64(n), Created: at(n)}}
	return s
}

// strange are servers that no documentation knows.
func strange() map[string]Server {
	notUTF8, nul := "\xff\xfe\x80", "a\x00b\x00"
	return map[string]Server{
		"nothing known":   {},
		"never answered":  {TotalCount: -1},
		"extreme numbers": {TotalCount: math.MinInt64, Subtasks: []Subtask{{Question: math.MaxInt}, {Question: -1}}},
		"no subtasks":     {LastSuccess: at(1), EmptySince: at(2), TotalCount: math.MaxInt64},
		"strange status": {Subtasks: []Subtask{
			{Status: math.NaN()},
			{Status: -1},
			{Status: 1e300},
			{Status: 2.5},
			{Status: math.Inf(1)},
			{Status: math.Copysign(0, -1)},
			{Status: math.Float64frombits(0x7ff8dead00000001)},
		}},
		"any bytes": {
			Subtasks: []Subtask{{TaskID: notUTF8, Type: nul, Code: notUTF8 + nul}, {Code: strings.Repeat("é", 64)}, {Code: strings.Repeat("x", 70_000)}},
			Errors:   []ErrorCount{{Type: nul, Code: notUTF8, Count: 1 << 53}, {Count: math.SmallestNonzeroFloat64}},
		},
		"old times": {LastSuccess: time.Unix(0, 0), EmptySince: time.UnixMilli(-1), Subtasks: []Subtask{
			{Changed: time.Date(1, 1, 1, 0, 0, 0, 1e6, time.UTC), Started: time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)},
			{Changed: time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC)},
		}},
		"typical": typical(7),
	}
}

// same compares to the bit, and times to the millisecond.
func same(a, b Server) bool {
	for _, s := range []*Server{&a, &b} {
		s.LastSuccess, s.EmptySince = whole(s.LastSuccess), whole(s.EmptySince)
		subtasks, errors := s.Subtasks, s.Errors
		s.Subtasks, s.Errors = nil, nil
		for _, t := range subtasks {
			t.TaskID += "\x00" + bits(t.Status) // NaN is not equal to itself
			t.Status = 0
			t.Changed, t.StatusSince, t.Started, t.Began = whole(t.Changed), whole(t.StatusSince), whole(t.Started), whole(t.Began)
			s.Subtasks = append(s.Subtasks, t)
		}
		for _, c := range errors {
			c.Type += "\x00" + bits(c.Count)
			c.Count, c.Created = 0, whole(c.Created)
			s.Errors = append(s.Errors, c)
		}
	}
	return reflect.DeepEqual(a, b)
}

func whole(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()).UTC() }

func bits(f float64) string { return strconv.FormatUint(math.Float64bits(f), 16) }

func TestServerSurvivesAsItIs(t *testing.T) {
	for name, want := range strange() {
		got, ok := decodeServer(nil, encodeServer(nil, want))
		if !ok || !same(got, want) {
			t.Errorf("%s: %+v came back as %+v, %t", name, want, got, ok)
		}
	}
}

// Version 1, whose file the servers above are from too, did not keep it.
func TestTheBeginningOfATaskSurvives(t *testing.T) {
	want := typical(7)
	want.Subtasks[1].Began = at(3)
	if got, ok := decodeServer(nil, encodeServer(nil, want)); !ok || !same(got, want) {
		t.Errorf("%+v came back as %+v, %t", want, got, ok)
	}
}

func TestTimesKeepMillisecondsAndZeroStaysZero(t *testing.T) {
	want := Server{LastSuccess: time.Date(2026, 3, 4, 5, 6, 7, 891_999_999, time.FixedZone("", 3600))}
	got, _ := decodeServer(nil, encodeServer(nil, want))
	if !got.LastSuccess.Equal(time.Date(2026, 3, 4, 4, 6, 7, 891_000_000, time.UTC)) {
		t.Errorf("%v came back as %v", want.LastSuccess, got.LastSuccess)
	}
	if !got.EmptySince.IsZero() || got.EmptySince != (time.Time{}) {
		t.Errorf("the zero time came back as %v", got.EmptySince)
	}
}

func TestEveryFlippedBitOfAValueIsNoticed(t *testing.T) {
	key := encodeKey(Key{"a", "u"})
	value := encodeServer(key, typical(1))
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
	want := Server{LastSuccess: at(3), TotalCount: 4, Subtasks: []Subtask{subtask}, Errors: []ErrorCount{count}}
	outer := Server{LastSuccess: want.LastSuccess, TotalCount: want.TotalCount}
	content := with(encode(&outer))
	for number, inner := range map[protowire.Number][]byte{4: encode(&subtask), 5: encode(&count)} {
		content = protowire.AppendBytes(protowire.AppendTag(content, number, protowire.BytesType), with(inner))
	}
	if got, ok := decodeServer(nil, seal(nil, content)); !ok || !same(got, want) {
		t.Errorf("%+v came back as %+v, %t", want, got, ok)
	}
	if got, ok := decodeMark(nil, seal(nil, with(encode(&goneMark{at(3)})))); !ok || !got.Equal(at(3)) {
		t.Errorf("a mark came back as %v, %t", got, ok)
	}
}

// FuzzValue checks that no bytes make the decoder panic, and that what it accepts stays the same
// when it is written and read again.
func FuzzValue(f *testing.F) {
	for _, s := range strange() {
		value := encodeServer(nil, s)
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
			if again, ok := decodeServer(nil, encodeServer(nil, s)); !ok || !same(s, again) {
				t.Errorf("%+v of version 1 became %+v", s, again)
			}
		}
		first, ok := decodeServer(nil, seal(nil, bytes.Clone(content)))
		if !ok {
			return
		}
		again, ok := decodeServer(nil, encodeServer(nil, first))
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
		when := time.UnixMilli(ms)
		s := Subtask{TaskID: id, Type: typ, Status: status, Code: code, Changed: when, Started: when, Began: when, Question: question}
		want := Server{LastSuccess: when, TotalCount: total, Subtasks: []Subtask{s, s, {}}, Errors: []ErrorCount{{typ, code, count, when}, {}}}
		key := encodeKey(Key{account, uuid})
		if got, ok := decodeServer(key, encodeServer(key, want)); !ok || !same(got, want) {
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
