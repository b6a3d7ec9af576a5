package state

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"aliyun_vulscan_exporter/collector/scan"
)

const upper = "5D55AF3C-35F3-4D4D-8CCC-8C5443B0000F" // a UUID that version1.db.gz has in upper case only

// version1 writes the file that the last program with version 1 made.
func version1(t testing.TB, path string) []byte {
	t.Helper()
	packed, err := os.Open("testdata/version1.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	r, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, content)
	return content
}

// wantOfVersion1 returns the production servers of that file. Of four servers the file has a second
// entry, in upper case: two that are newer, one that is older, and one of the same time.
func wantOfVersion1() map[string]scan.Record {
	want := byUUID(fleet("production", 40))
	for i, e := range fleet("production", 2) {
		e.Server.LastSuccess, e.Server.Total = at(i+1000), 99
		want[e.UUID] = e.Server
	}
	want[lower(upper)] = typical(500)
	return want
}

func TestFileOfVersion1IsReadAndConverted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	version1(t, path)
	w := newWitness()
	s := open(t, path, w)
	w.logged(t, "state file was converted: older versions of this program will refuse it")
	for range 2 { // as it is converted, and as it is opened again
		want := wantOfVersion1()
		got, err := s.Restore("production")
		if err != nil {
			t.Fatal(err)
		}
		same4th := fleet("production", 4)[3].UUID // both entries are right
		if n := got[same4th].Total; n != 4 && n != 99 {
			t.Errorf("%+v", got[same4th])
		}
		want[same4th] = got[same4th]
		holds(t, s, "production", want)
		holds(t, s, "strange", strange())
		shut(t, s)
		s = open(t, path, w)
	}
	w.logged(t, "was converted")
	if w.counted() != 0 {
		t.Errorf("%v errors", w.counted())
	}
	sane(t, path)
}

func TestServersOfVersion1AreKnownHoweverTheyWereSpelt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	version1(t, path)
	db, err := bbolt.Open(path, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		key := seal(nil, append(accountPrefix("spelt"), "INET-"+upper...))
		return tx.Bucket([]byte(serverBucket)).Put(key, seal(key, []byte{0, 0, 14, 0, 0})) // a TotalCount of 7, and no more
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	holds(t, open(t, path, newWitness()), "spelt", map[string]scan.Record{lower(upper): {Total: 7}})
}

func TestMarksOfVersion1Last(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	version1(t, path)
	s := open(t, path, newWitness())
	gone := map[Key]bool{{"production", lower(upper)}: true, {"strange", "typical"}: true} // both marked at(0)
	watched := func(k Key) bool { return !gone[k] }
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{retention - time.Millisecond, 0}, {retention, 2}} {
		if dropped, err := s.Sweep(watched, at(0).Add(step.after)); err != nil || dropped != step.want {
			t.Errorf("after %v %d were dropped, %v", step.after, dropped, err)
		}
	}
}

func TestDamagedValueOfVersion1IsReportedByRestore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	content := version1(t, path)
	lost := fleet("production", 40)[20].UUID
	for i := range content { // on whatever pages it is: a UUID, the checksum of the key, the value
		if bytes.HasPrefix(content[i:], []byte(lost)) {
			content[i+len(lost)+sumSize+20] ^= 1
		}
	}
	writeFile(t, path, content)
	w := newWitness()
	s := open(t, path, w)
	got, err := s.Restore("production")
	if _, there := got[lost]; err != nil || there || len(got) != len(wantOfVersion1())-1 {
		t.Errorf("%d servers, %v", len(got), err)
	}
	w.logged(t, "was converted", "state of some servers is damaged")
	if !strings.Contains(w.log.String(), "lost=1 restored=40 example="+lost) {
		t.Error(w.log.String())
	}
}
