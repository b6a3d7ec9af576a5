package processtest

import (
	"io"
	"net/http"
)

// Answer is an HTTP answer, read whole.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Exchange makes a request and reads the answer.
func Exchange(c *http.Client, r *http.Request) (Answer, error) {
	resp, err := c.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return Answer{resp.StatusCode, resp.Header, string(body)}, err
}

// Request asks the process; headers come as name and value in turn, and that of Host is the
// request's host.
func (p *Process) Request(method, path string, headers ...string) Answer {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.URL+path, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	a, err := Exchange(http.DefaultClient, r)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// Get asks the process for a path.
func (p *Process) Get(path string) Answer {
	p.t.Helper()
	return p.Request(http.MethodGet, path)
}
