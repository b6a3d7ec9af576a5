package processtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// guardPassword is the one whose bcrypt hash follows.
const (
	guardPassword     = "correct horse"
	guardPasswordHash = "$2a$04$E/phdVAXnELguWbQl1/G9.K3/3Bw/MyTaKtDOKMfbASmAlU3YZqXq"
)

// certificate writes a new certificate for 127.0.0.1 and its key.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	writeFile(t, filepath.Join(dir, "cert.pem"), text)
	writeFile(t, filepath.Join(dir, "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(text))
	return pool
}

// guarded are all paths that are served, a reload's last, and one that is not.
var guarded = []string{
	"/", "/metrics", "/status", "/status/server?account=production&uuid=x", "/api/v1/status", "/api/v1/status/server", "/config", "/sd",
	"/-/healthy", "/-/ready", "/debug/pprof/", "/nothing", "/-/reload",
}

// methodOf is how a guarded path is asked.
func methodOf(path string) string {
	if path == "/-/reload" {
		return http.MethodPost
	}
	return http.MethodGet
}

// guardedDemo serves the demo behind a web configuration in a folder that has a certificate, which
// pool trusts.
func guardedDemo(t *testing.T, webConfig string) (p *Process, dir string, pool *x509.CertPool) {
	t.Helper()
	dir = t.TempDir()
	pool = certificate(t, dir)
	path := writeFile(t, filepath.Join(dir, "web.yml"), webConfig)
	return Serve(t, "--demo", "--web.config.file="+path, "--web.enable-lifecycle", "--web.enable-pprof"), dir, pool
}

// overTLS makes a request for a path of the process.
func (p *Process) overTLS(config *tls.Config, path, password string) (Answer, error) {
	p.t.Helper()
	config.MinVersion = tls.VersionTLS12
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(p.t.Context(), methodOf(path), strings.Replace(p.URL, "http://", "https://", 1)+path, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	if password != "" {
		r.SetBasicAuth("prometheus", password)
	}
	return Exchange(&http.Client{Transport: transport}, r)
}

func TestWebConfigGuardsEveryPath(t *testing.T) {
	t.Parallel()
	p, _, pool := guardedDemo(t, "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n"+
		"basic_auth_users: {prometheus: \""+guardPasswordHash+"\"}\n")
	status := func(path, password string) int {
		a, err := p.overTLS(&tls.Config{RootCAs: pool}, path, password)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return a.Status
	}
	p.Until("it is ready", func() bool { return status("/-/ready", guardPassword) == http.StatusOK })
	for _, path := range guarded {
		for _, password := range []string{"", "wrong"} {
			if got := status(path, password); got != http.StatusUnauthorized {
				t.Errorf("%s with password %q: %d", path, password, got)
			}
		}
		if got := status(path, guardPassword); got == http.StatusUnauthorized {
			t.Errorf("%s with the password: %d", path, got)
		}
		if got := p.Request(methodOf(path), path); got.Status != http.StatusBadRequest {
			t.Errorf("%s without TLS: %d", path, got.Status)
		}
	}
}

func TestLinesOfTheHTTPServerAreLogLinesForWhoLooksClosely(t *testing.T) {
	t.Parallel()
	for severity, seen := range map[string]bool{"debug": true, "info": false} {
		t.Run(severity, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			pool := certificate(t, dir)
			path := writeFile(t, filepath.Join(dir, "web.yml"), "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n")
			p := Serve(t, "--demo", "--web.config.file="+path, "--log.level="+severity)
			_ = p.hold("").Close() // as a probe of the port does
			p.Request(http.MethodGet, "/-/healthy")
			if a, err := p.overTLS(&tls.Config{RootCAs: pool}, "/-/healthy", ""); err != nil || a.Status != http.StatusOK {
				t.Errorf("%d %v", a.Status, err)
			}
			if seen {
				p.Until("the server's line is logged", func() bool { return strings.Contains(p.Stderr.String(), "TLS handshake error") })
			}
			if code := p.stopped(syscall.SIGTERM); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if strings.Contains(p.Stderr.String(), "handshake") != seen {
				t.Errorf("on stderr:\n%s", p.Stderr)
			}
			expectLogLines(t, p)
		})
	}
}

func TestMutualTLSGuardsEveryPath(t *testing.T) {
	t.Parallel()
	p, dir, pool := guardedDemo(t, "tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_ca_file: cert.pem, client_auth_type: RequireAndVerifyClientCert}\n")
	known, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := t.TempDir()
	certificate(t, elsewhere)
	stranger, err := tls.LoadX509KeyPair(filepath.Join(elsewhere, "cert.pem"), filepath.Join(elsewhere, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range guarded {
		if a, err := p.overTLS(&tls.Config{RootCAs: pool}, path, ""); err == nil {
			t.Errorf("%s without a certificate: %d", path, a.Status)
		}
		if a, err := p.overTLS(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{stranger}}, path, ""); err == nil {
			t.Errorf("%s with a stranger's certificate: %d", path, a.Status)
		}
		if a, err := p.overTLS(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{known}}, path, ""); err != nil || a.Status >= 500 && path != "/-/ready" {
			t.Errorf("%s with the certificate: %d %v", path, a.Status, err)
		}
	}
}
