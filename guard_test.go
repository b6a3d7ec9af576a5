package main

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

func TestWebConfigGuardsEveryPath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pool := certificate(t, dir)
	web := writeFile(t, filepath.Join(dir, "web.yml"), "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n"+
		"basic_auth_users: {prometheus: \""+guardPasswordHash+"\"}\n")
	p := serve(t, "--demo", "--web.config.file="+web, "--web.enable-lifecycle", "--web.enable-pprof")
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	secure := strings.Replace(p.url, "http://", "https://", 1)
	status := func(method, path, password string) int {
		r, err := http.NewRequestWithContext(t.Context(), method, secure+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if password != "" {
			r.SetBasicAuth("prometheus", password)
		}
		a, err := exchange(client, r)
		if err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		return a.status
	}
	p.until("it is ready", func() bool { return status(http.MethodGet, "/-/ready", guardPassword) == http.StatusOK })
	for _, path := range []string{"/", "/metrics", "/config", "/-/healthy", "/-/ready", "/debug/pprof/", "/nothing", "/-/reload"} {
		method, want := http.MethodGet, http.StatusOK
		switch path {
		case "/nothing":
			want = http.StatusNotFound
		case "/-/reload":
			method = http.MethodPost
		}
		for password, expected := range map[string]int{"": 401, "wrong": 401, guardPassword: want} {
			if got := status(method, path, password); got != expected {
				t.Errorf("%s with password %q: %d, want %d", path, password, got, expected)
			}
		}
		if got := p.request(method, path); got.status != http.StatusBadRequest {
			t.Errorf("%s without TLS: %d", path, got.status)
		}
	}
}
