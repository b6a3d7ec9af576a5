package state

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"aliyun_vulscan_exporter/collector/scan"
)

// openUnprivileged returns the error of opening a file, as text, for a user to whom permissions
// apply, as they do not to root.
func openUnprivileged(path string) string {
	result := make(chan error)
	go func() {
		if os.Geteuid() == 0 {
			runtime.LockOSThread() // for good: this thread alone changes, and ends with the goroutine
			const nobody = 65534
			syscall.RawSyscall(syscall.SYS_SETFSGID, nobody, 0, 0)
			syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0)
		}
		s, err := Open(path, newWitness().options())
		if err == nil {
			s.Close()
		}
		result <- err
	}()
	return fmt.Sprint(<-result)
}

func TestMissingPermissionsAreExplained(t *testing.T) {
	dir := t.TempDir()
	const permission = "permission denied: see that the file and its directory exist, are writable for the exporter and have room, or name another --state.file"
	for name, tc := range map[string]struct {
		content   []byte // nil: there is no file
		file, dir fs.FileMode
		want      string
	}{
		"read-only":   {[]byte("state"), 0o444, 0o777, permission},
		"unreadable":  {[]byte("state"), 0, 0o777, permission},
		"fixed":       {nil, 0, 0o555, permission},
		"closed":      {[]byte("state"), 0o666, 0, permission},
		"not to move": {damagedFile(t, 1), 0o666, 0o555, "nor renamed"},
	} {
		t.Run(name, func(t *testing.T) {
			parent := filepath.Join(dir, name)
			path := filepath.Join(parent, "state.db")
			if err := os.Mkdir(parent, 0o755); err != nil {
				t.Fatal(err)
			}
			if tc.content != nil {
				writeFile(t, path, tc.content)
				os.Chmod(path, tc.file)
			}
			os.Chmod(filepath.Dir(dir), 0o755)
			os.Chmod(parent, tc.dir)
			err := openUnprivileged(path)
			os.Chmod(parent, 0o755)
			if !strings.Contains(err, tc.want) || !strings.Contains(err, path) {
				t.Error(err)
			}
			os.Chmod(path, 0o644)
			if tc.content != nil && !bytes.Equal(readFile(t, path), tc.content) {
				t.Error("it was changed")
			}
			if files, _ := filepath.Glob(filepath.Join(parent, "*")); tc.content == nil && len(files) > 0 {
				t.Errorf("%v", files)
			}
		})
	}
}

// alone reports whether the test runs in a process of its own; else it runs it so.
func alone(t *testing.T) bool {
	t.Helper()
	const variable = "STATE_TEST_ALONE"
	if os.Getenv(variable) != "" {
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), variable+"=1")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

const unlimited = ^uint64(0)

// limit lets no file of this process grow beyond so many bytes, which is to a writer what a full
// disk is.
func limit(t *testing.T, bytes uint64) {
	t.Helper()
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		t.Fatal(err)
	}
	l.Cur = min(bytes, l.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		t.Fatal(err)
	}
}

func TestFullDiskLosesNothingAndSavingGoesOnWhenThereIsRoom(t *testing.T) {
	if !alone(t) {
		return
	}
	w, path := newWitness(), filepath.Join(t.TempDir(), "state.db")
	s := open(t, path, w)
	batch, want := fleet("a", 2000), map[string]scan.Record{}
	// What fails differs with the size: to lengthen the file, or to write beyond the limit.
	for size := uint64(64 << 10); size <= 1<<20; size += 52_000 {
		limit(t, size)
		var logged []string
		failures, failed := 0, false
		for i := 0; failures < 3; i = (i + 100) % len(batch) {
			for j := range 100 {
				batch[i+j].Server.Total++
			}
			err := s.Save(batch[i:i+100], 0)
			if (err != nil) != failed {
				failed = !failed
				logged = append(logged, map[bool]string{true: "level=error msg=\"state cannot be saved", false: "level=info msg=\"state is saved again\""}[failed])
			}
			if failed {
				failures++
			} else {
				maps.Copy(want, byUUID(batch[i:i+100]))
			}
			if failed && !strings.Contains(err.Error(), "writing state file "+path+": ") || failed && !strings.Contains(err.Error(), "file too large") {
				t.Fatal(err)
			}
			holds(t, s, "a", want)
		}
		limit(t, unlimited)
		save(t, s, batch[0])
		want[batch[0].UUID] = batch[0].Server
		w.logged(t, append(logged, "level=info msg=\"state is saved again\"")...)
		if w.counted() != 3 {
			t.Fatalf("%v errors", w.counted())
		}
		shut(t, s)
		sane(t, path)
		w = newWitness()
		s = open(t, path, w)
		holds(t, s, "a", want)
		w.logged(t)
	}
}

func TestNoRoomForANewFileIsAnError(t *testing.T) {
	if !alone(t) {
		return
	}
	for _, size := range []uint64{0, 8 << 10, 20 << 10} { // not even bbolt's own pages; some of them; all
		path := filepath.Join(t.TempDir(), "state.db")
		limit(t, size)
		_, err := Open(path, newWitness().options())
		limit(t, unlimited)
		if err == nil || !strings.Contains(err.Error(), "file too large: see that the file and its directory") || !strings.Contains(err.Error(), path) {
			t.Errorf("%d bytes: %v", size, err)
		}
		holds(t, open(t, path, newWitness()), "a", map[string]scan.Record{})
	}
}

func TestNoRoomToConvertAFileOfVersion1LosesNothing(t *testing.T) {
	if !alone(t) {
		return
	}
	path := filepath.Join(t.TempDir(), "state.db")
	version1(t, path)
	limit(t, 64<<10)
	_, err := Open(path, newWitness().options())
	limit(t, unlimited)
	if err == nil || !strings.Contains(err.Error(), "file too large: see that the file and its directory") {
		t.Errorf("%v", err)
	}
	w := newWitness()
	holds(t, open(t, path, w), "strange", strange())
	w.logged(t, "was converted")
}
