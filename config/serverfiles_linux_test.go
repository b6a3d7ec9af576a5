package config

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// unprivileged calls f as a user to whom permissions apply, as they do not to root.
func unprivileged(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if os.Geteuid() == 0 {
			runtime.LockOSThread() // for good: this thread alone changes, and ends with the goroutine
			const nobody = 65534
			syscall.RawSyscall(syscall.SYS_SETFSGID, nobody, 0, 0)
			syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0)
		}
		f()
	}()
	<-done
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestAFolderThatCannotBeReadTakesNoServerAway breaks the folder of the server files in every way,
// and mends it.
func TestAFolderThatCannotBeReadTakesNoServerAway(t *testing.T) {
	for name, tt := range map[string]struct {
		damage func(t *testing.T, folder string)
		want   string
	}{
		"no permission to list":  {func(t *testing.T, folder string) { must(t, os.Chmod(folder, 0o311)) }, "permission denied"},
		"no permission to enter": {func(t *testing.T, folder string) { must(t, os.Chmod(folder, 0o644)) }, "permission denied"},
		"a loop of symbolic links": {func(t *testing.T, folder string) {
			must(t, os.Rename(folder, folder+".away"), os.Symlink(folder, folder))
		}, "too many levels of symbolic links"},
		"a file instead": {func(t *testing.T, folder string) {
			must(t, os.Rename(folder, folder+".away"))
			write(t, folder, "")
		}, "not a directory"},
		"a mount that is gone": {func(t *testing.T, folder string) { must(t, os.Rename(folder, folder+".away")) }, "no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			folder := filepath.Join(f.dir, "servers")
			must(t, os.Chmod(f.dir, 0o755), os.Chmod(filepath.Dir(f.dir), 0o755))
			tt.damage(t, folder)
			unprivileged(func() {
				f.checkServerFiles()
				_, err := Load(filepath.Join(f.dir, "main.yml"))
				if err == nil || !strings.Contains(err.Error(), "cannot be read: "+tt.want) || !strings.Contains(err.Error(), folder) {
					t.Errorf("got %v", err)
				}
			})
			f.expect(1, 0, "0", 1)
			unprivileged(f.checkServerFiles)
			f.expect(1, 0, "0", 0) // neither tried nor logged again

			must(t, os.Chmod(f.dir, 0o755))
			if _, err := os.Lstat(folder + ".away"); err == nil {
				must(t, os.RemoveAll(folder), os.Rename(folder+".away", folder))
			}
			must(t, os.Chmod(folder, 0o755))
			unprivileged(f.checkServerFiles)
			f.expect(1, 1, "1", 1)

			must(t, os.Remove(filepath.Join(folder, "web.yml")))
			unprivileged(f.checkServerFiles)
			f.expect(0, 2, "1", 3) // a list taken out of a readable folder is gone, with warnings
		})
	}
}

// TestListsBelowWildcardsAreFound has folders that are found by a wildcard: those without the list,
// and files among them, are no mistake, but one that cannot be read is.
func TestListsBelowWildcardsAreFound(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "main")
	must(t, os.MkdirAll(filepath.Join(dir, "b/lists"), 0o755), os.MkdirAll(filepath.Join(dir, "c/other"), 0o755))
	write(t, filepath.Join(dir, "a/lists/web.yml"), "- uuid: "+uuid1)
	write(t, filepath.Join(dir, "d"), "a file")
	write(t, filepath.Join(dir, "e/closed.yml"), "- uuid: "+uuid2)
	write(t, filepath.Join(dir, "main.yml"), `accounts: [{name: a, region: cn-hangzhou, task_ids: [t], server_files: ["*/lists/*.yml", "e/closed.yml"]}]`)
	must(t, os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(filepath.Dir(filepath.Dir(dir)), 0o755))
	load := func() (c *Config, err error) {
		unprivileged(func() { c, err = Load(filepath.Join(dir, "main.yml")) })
		return c, err
	}
	must(t, os.Chmod(filepath.Join(dir, "e"), 0o711)) // may be entered, not listed
	if c, err := load(); err != nil || len(c.Accounts[0].Servers) != 2 || len(c.Warnings()) > 0 {
		t.Errorf("%+v, %v", c, err)
	}
	must(t, os.Chmod(filepath.Join(dir, "b"), 0))
	defer os.Chmod(filepath.Join(dir, "b"), 0o755)
	if _, err := load(); err == nil || !strings.Contains(err.Error(), "main.yml:1: accounts[0].server_files: the folder "+filepath.Join(dir, "b")+" cannot be read: permission denied") {
		t.Errorf("got %v", err)
	}
}
