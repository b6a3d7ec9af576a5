package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"time"
)

// The types below are the part of CycloneDX 1.6 that a program without services, vulnerabilities
// and owners needs.
type bom struct {
	Schema       string       `json:"$schema"`
	BOMFormat    string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	SerialNumber string       `json:"serialNumber"`
	Version      int          `json:"version"`
	Metadata     bomMetadata  `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type bomMetadata struct {
	Timestamp string    `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Type     string          `json:"type"`
	Ref      string          `json:"bom-ref"`
	Name     string          `json:"name"`
	Version  string          `json:"version"`
	Hashes   []hash          `json:"hashes,omitempty"`
	Licenses []licenseChoice `json:"licenses"`
	PURL     string          `json:"purl"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type licenseChoice struct {
	License spdxLicense `json:"license"`
}

type spdxLicense struct {
	ID string `json:"id"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn"`
}

// newBOM lists the parts of a binary. Its serial number follows from the binary, so that a repeated
// build has the same list.
func newBOM(b build, p platform, binary []byte, parts []part) bom {
	sum := sha256.Sum256(binary)
	// The version and variant bits of a UUID, as RFC 9562 has them for one made of other data.
	id := sum
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	main := newComponent("application", program, b.Version, []string{"Apache-2.0"})
	main.PURL += fmt.Sprintf("?goarch=%s&goos=%s", p.arch, p.os)
	main.Hashes = []hash{{"SHA-256", hex.EncodeToString(sum[:])}}
	list := bom{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", BOMFormat: "CycloneDX", SpecVersion: "1.6", Version: 1,
		SerialNumber: fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:16]),
		Metadata:     bomMetadata{Timestamp: b.Date.Format(time.RFC3339), Component: main},
	}
	refs := make([]string, 0, len(parts))
	for _, part := range parts {
		c := newComponent("library", part.Path, part.Version, part.licenses)
		list.Components = append(list.Components, c)
		refs = append(refs, c.Ref)
	}
	list.Dependencies = []dependency{{Ref: main.Ref, DependsOn: refs}}
	return list
}

func newComponent(kind, name, version string, licenses []string) component {
	purl := "pkg:golang/" + name + "@" + url.QueryEscape(version)
	c := component{Type: kind, Ref: purl, Name: name, Version: version, PURL: purl}
	for _, license := range licenses {
		c.Licenses = append(c.Licenses, licenseChoice{spdxLicense{license}})
	}
	return c
}

func (b bom) encode() ([]byte, error) {
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the list of parts: %w", err)
	}
	return append(text, '\n'), nil
}
