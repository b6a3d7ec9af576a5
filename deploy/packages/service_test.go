//go:build installed

package packages

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/processtest"
	"aliyun_vulscan_exporter/internal/simulator"
)

const (
	account = "aliyun_vulscan_exporter" // of the service
	servers = 6
	state   = "/var/lib/aliyun_vulscan_exporter"
)

// keys are the simulated account's, by the names of vulscan.yml's instructions.
var keys = map[string]string{"production_id": "LTAI5tPackagedService0001", "production_secret": "packaged-service-secret"}

// TestServiceRuns does what an operator does after installation, and what systemd does then, but
// for its sandbox. It has to be root, on a machine where the package is newly installed and may be
// changed.
func TestServiceRuns(t *testing.T) {
	u := readUnit(t, "/usr/lib/systemd/system/"+unitName)
	if out, err := u.command(t, u.settings["ExecStartPre"]).CombinedOutput(); err != nil {
		t.Fatalf("ExecStartPre, as packaged: %v\n%s", err, out)
	}
	operate(t)
	prepare(t, u)
	if out, err := u.command(t, u.settings["ExecStartPre"]).CombinedOutput(); err != nil {
		t.Fatalf("ExecStartPre: %v\n%s", err, out)
	}

	service := processtest.Start(t, u.command(t, u.settings["ExecStart"]))
	service.UntilListening()
	processtest.Until(t, "all servers are polled", func() error {
		if ok := service.Scrape().Of("aliyun_vulscan_servers", `account="production"`, `state="ok"`).Sum(); ok != servers {
			return fmt.Errorf("%v of %d servers are ok; the log:\n%s", ok, servers, service.Stderr)
		}
		return nil
	})
	if u.settings["ExecReload"] != "/bin/kill -HUP $MAINPID" {
		t.Fatalf("ExecReload=%s", u.settings["ExecReload"])
	}
	service.Signal(syscall.SIGHUP)
	service.Until("it has reloaded", func() bool {
		return strings.Count(service.Stderr.String(), `"configuration loaded"`) == 2 // the first is the start's
	})
	service.Stop()
	for name, key := range keys {
		if strings.Contains(service.Stderr.String(), key) {
			t.Errorf("the log has %s", name)
		}
	}
	if info, err := os.Stat(state + "/state.db"); err != nil || info.Size() == 0 {
		t.Errorf("no state: %v", err)
	}
}

// operate follows the instructions in vulscan.yml, with an account that is a simulator's, and has
// the service listen on a free port.
func operate(t *testing.T) {
	t.Helper()
	center, err := simulator.Start(t.Context(), simulator.Options{Accounts: []simulator.Account{{
		Name: "production", AccessKeyID: keys["production_id"], AccessKeySecret: keys["production_secret"],
		Fleet: simulator.Fleet{Seed: 3, Size: servers, TaskEvery: time.Minute, Start: time.Now().Add(-10 * time.Minute)},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	configuration := read(t, "/etc/aliyun_vulscan_exporter/vulscan.yml")
	for name, key := range keys {
		command := regexp.MustCompile(`#        (install .*/dev/stdin ` + name + `)\b`).FindStringSubmatch(configuration)
		if command == nil {
			t.Fatalf("the instructions do not say how to make %s", name)
		}
		install := exec.CommandContext(t.Context(), "sh", "-c", command[1])
		install.Dir, install.Stdin = credentials, strings.NewReader(key+"\n")
		if out, err := install.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command[1], err, out)
		}
		if info, err := os.Stat(filepath.Join(credentials, name)); err != nil || info.Mode().Perm() != 0o640 {
			t.Fatalf("mode of %s: %v: %v", name, info.Mode(), err)
		}
	}
	write(t, "/etc/aliyun_vulscan_exporter/vulscan.yml", withKeys(t, configuration))
	edit(t, "/etc/aliyun_vulscan_exporter/vulscan.yml", "region: cn-hangzhou", "endpoint: "+center.URL)
	edit(t, "/etc/default/aliyun_vulscan_exporter", `ARGS=""`, `ARGS="--web.listen-address=127.0.0.1:0 --log.level=info"`)
}

// prepare makes what systemd makes before it starts the service: the folder for state.
func prepare(t *testing.T, u unit) {
	t.Helper()
	if u.settings["StateDirectory"] != filepath.Base(state) {
		t.Fatalf("StateDirectory=%s", u.settings["StateDirectory"])
	}
	uid, gid := u.identity(t)
	if err := errors.Join(os.Mkdir(state, 0o700), os.Chown(state, int(uid), int(gid))); err != nil {
		t.Fatal(err)
	}
}

// identity returns the IDs of the unit's user and group, which the package has made.
func (u unit) identity(t *testing.T) (uid, gid uint32) {
	t.Helper()
	if u.settings["User"] != account || u.settings["Group"] != account {
		t.Fatalf("User=%s Group=%s", u.settings["User"], u.settings["Group"])
	}
	found, err := user.Lookup(account)
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroup(account)
	if err != nil || group.Gid != found.Gid {
		t.Fatalf("group %v, the user's is %s: %v", group, found.Gid, err)
	}
	number := func(text string) uint32 {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil || n == 0 {
			t.Fatalf("ID %q: %v", text, err)
		}
		return uint32(n)
	}
	return number(found.Uid), number(found.Gid)
}

// command returns a command line of the unit, to be run as the unit would run it.
func (u unit) command(t *testing.T, line string) *exec.Cmd {
	t.Helper()
	var arguments []string
	for word := range strings.FieldsSeq(line) {
		switch {
		case word == "$ARGS": // a word of its own is split at white space
			arguments = append(arguments, strings.Fields(u.arguments(t))...)
		case strings.ContainsAny(word, "$%"):
			t.Fatalf("%s is not expanded here", word)
		default:
			arguments = append(arguments, word)
		}
	}
	cmd := exec.CommandContext(t.Context(), arguments[0], arguments[1:]...)
	cmd.Dir = u.settings["WorkingDirectory"]
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	uid, gid := u.identity(t)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	return cmd
}

// arguments returns ARGS of the unit's EnvironmentFile, which may be absent.
func (u unit) arguments(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(strings.TrimPrefix(u.settings["EnvironmentFile"], "-"))
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	m := regexp.MustCompile(`(?m)^ARGS="(.*)"$`).FindSubmatch(text)
	if err != nil || m == nil {
		t.Fatalf("no ARGS: %v", err)
	}
	return string(m[1])
}

// edit replaces a text that must be there.
func edit(t *testing.T, path, old, replacement string) {
	t.Helper()
	text := read(t, path)
	if strings.Count(text, old) != 1 {
		t.Fatalf("%s has not %q once", path, old)
	}
	write(t, path, strings.Replace(text, old, replacement, 1))
}
