package web

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
)

// fakeConn is a connection that knows whether it was closed.
type fakeConn struct {
	net.Conn
	closed bool
}

func (c *fakeConn) Close() error { c.closed = true; return nil }

// opened brings new connections, in this order.
func opened(c *connections, count int) []*fakeConn {
	list := make([]*fakeConn, count)
	for i := range list {
		list[i] = &fakeConn{}
		c.changed(list[i], http.StateNew)
	}
	return list
}

// closedOf lists which are closed.
func closedOf(list []*fakeConn) string {
	var text strings.Builder
	for i, c := range list {
		if c.closed {
			fmt.Fprint(&text, i, " ")
		}
	}
	return text.String()
}

func TestSurplusConnectionsWithoutARequestAreClosedTheLongestWaitingFirst(t *testing.T) {
	c := &connections{logger: log.NewNopLogger(), most: 4}
	list := opened(c, 4)
	c.changed(list[0], http.StateActive)
	c.changed(list[2], http.StateActive)
	c.changed(list[2], http.StateIdle) // waits again, for less long than 1 and 3
	if got := closedOf(list); got != "" {
		t.Errorf("closed within the bound: %s", got)
	}
	for _, want := range []string{"1 ", "1 3 ", "1 2 3 "} {
		opened(c, 1)
		if got := closedOf(list); got != want {
			t.Errorf("closed %s, want %s", got, want)
		}
	}
}

func TestANewConnectionIsClosedWhereAllOthersAreAnswered(t *testing.T) {
	c := &connections{logger: log.NewNopLogger(), most: 2}
	busy := opened(c, 2)
	for _, conn := range busy {
		c.changed(conn, http.StateActive)
	}
	if surplus := opened(c, 1); !surplus[0].closed || closedOf(busy) != "" {
		t.Errorf("the new one is closed: %t; others: %s", surplus[0].closed, closedOf(busy))
	} else {
		c.changed(surplus[0], http.StateClosed)
	}
	c.changed(busy[0], http.StateClosed)
	if next := opened(c, 1); next[0].closed {
		t.Error("a place that is free again is not taken")
	}
}

func TestAcceptErrorsAreLoggedOnceAConditionAndRelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text strings.Builder
		c := &connections{logger: log.NewLogfmtLogger(&text), most: 10}
		line := []byte("http: Accept error: accept tcp 127.0.0.1:1: accept4: too many open files; retrying in 5ms\n")
		list := opened(c, 3)
		c.changed(list[1], http.StateActive)
		for range 50 {
			if _, err := c.Write(line); err != nil {
				t.Fatal(err)
			}
			opened(c, 1) // which goes well in between
			<-time.After(time.Second)
		}
		if got := closedOf(list); got != "0 2 " {
			t.Errorf("closed %s", got)
		}
		if got := text.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "level=warn") || !strings.Contains(got, "too many open files") {
			t.Errorf("logged:\n%s", got)
		}
		<-time.After(acceptingAfter)
		opened(c, 2)
		if got := text.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "level=info msg=\"connections are accepted again\"") {
			t.Errorf("logged:\n%s", got)
		}
		if _, err := c.Write(line); err != nil || strings.Count(text.String(), "level=warn") != 2 {
			t.Errorf("the next condition is not logged:\n%s", &text)
		}
	})
}

func TestLinesOfTheServerAreForWhoLooksClosely(t *testing.T) {
	for line, severity := range map[string]string{
		"http: TLS handshake error from 127.0.0.1:1: EOF\n":                            "debug",
		"http: superfluous response.WriteHeader call\n":                                "debug",
		"http: panic serving 127.0.0.1:1: oops\ngoroutine 1 [running]:\nmain.main()\n": "error",
	} {
		var text strings.Builder
		if n, err := (&connections{logger: log.NewLogfmtLogger(&text), most: 1}).Write([]byte(line)); n != len(line) || err != nil {
			t.Error(n, err)
		}
		if got := text.String(); strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, "level="+severity) {
			t.Errorf("%q is logged as %s", line, got)
		}
	}
}

func TestSomeFilesAreLeftForOthers(t *testing.T) {
	for files, want := range map[uint64]int{0: 1, 64: 48, 1024: 768, 1 << 20: maxConnections, 1<<64 - 1: maxConnections} {
		if got := mostConnections(files); got != want {
			t.Errorf("of %d files: %d, want %d", files, got, want)
		}
	}
	if openFiles() < 64 {
		t.Errorf("only %d files may be open", openFiles())
	}
}
