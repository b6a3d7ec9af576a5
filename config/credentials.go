package config

import (
	"path/filepath"
	"regexp"
	"strings"
)

// Credentials say who an account's calls are made as. All empty: the SDK's default chain. Else
// exactly one of: the keys alone; Profile; ECSRAMRole; RoleARN, assumed with the keys, or by OIDC
// when OIDCTokenFile is set.
type Credentials struct {
	AccessKeyID     SecretSource
	AccessKeySecret SecretSource // set exactly when AccessKeyID is
	SecurityToken   SecretSource // only ever with both keys
	Profile         string       // of the CLI's configuration file
	ECSRAMRole      string       // asked of the instance metadata
	RoleARN         string
	OIDCTokenFile   string // resolved path; set exactly when OIDCProviderARN is
	OIDCProviderARN string
}

var (
	roleName    = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
	roleARN     = regexp.MustCompile(`^acs:ram::[0-9]+:role/[^\s/]+$`)
	providerARN = regexp.MustCompile(`^acs:ram::[0-9]+:oidc-provider/[^\s/]+$`)
)

// credentials returns the codec of the mapping `credentials`. No problem below it quotes a value of
// the file.
func (d *decoder) credentials(into *Credentials) codec {
	schema := d.credentialsSchema(into)
	return codec{
		set: func(v value) {
			v.secret = true
			found := d.mapping(v, schema)
			d.checkKeys(v, found)
			d.checkIdentity(v, found)
		},
		show:  func() any { return schema.shown() },
		inner: schema,
	}
}

func (d *decoder) credentialsSchema(c *Credentials) fields {
	return fields{
		{"access_key_id", d.secret(&c.AccessKeyID.Value)},
		{"access_key_id_file", d.secretFile(&c.AccessKeyID.File)},
		{"access_key_secret", d.secret(&c.AccessKeySecret.Value)},
		{"access_key_secret_file", d.secretFile(&c.AccessKeySecret.File)},
		{"security_token", d.secret(&c.SecurityToken.Value)},
		{"security_token_file", d.secretFile(&c.SecurityToken.File)},
		{"profile", d.identity(&c.Profile, nil, "")},
		{"ecs_ram_role", d.identity(&c.ECSRAMRole, roleName, "not the name of a role (want NAME alone, of acs:ram::ACCOUNT_NUMBER:role/NAME)")},
		{"role_arn", d.identity(&c.RoleARN, roleARN, "not the ARN of a role (want acs:ram::ACCOUNT_NUMBER:role/NAME)")},
		{"oidc_token_file", d.secretFile(&c.OIDCTokenFile)},
		{"oidc_provider_arn", d.identity(&c.OIDCProviderARN, providerARN, "not the ARN of a provider (want acs:ram::ACCOUNT_NUMBER:oidc-provider/NAME)")},
	}
}

// given returns the text of a key of `credentials`. An empty one is a problem: taken as absent, it
// would send calls in the name of whatever the default chain finds.
func (d *decoder) given(v value) (string, bool) {
	text, ok := d.scalar(v, "text")
	if ok && strings.TrimSpace(text) == "" {
		d.problem(v, "is empty; give a value, or leave the key out")
		return "", false
	}
	return text, ok
}

func (d *decoder) secret(into *Secret) codec {
	return codec{
		set: func(v value) {
			given, ok := d.given(v)
			if !ok {
				return
			}
			text, err := cleanSecret([]byte(given))
			if err != nil {
				d.problem(v, "%v", err)
				return
			}
			*into = Secret(text)
		},
		show: func() any {
			if *into == "" {
				return nil
			}
			return *into
		},
	}
}

// identity returns a codec for a name that fits the shape, if there is one.
func (d *decoder) identity(into *string, shape *regexp.Regexp, otherwise string) codec {
	return codec{
		set: func(v value) {
			text, ok := d.given(v)
			if ok && shape != nil && !shape.MatchString(text) {
				d.problem(v, "%s", otherwise)
				return
			}
			*into = text
		},
		show: func() any { return shownText(*into) },
	}
}

// secretFile returns a codec for a file's name, which makes sure that it holds a key or token now.
func (d *decoder) secretFile(into *string) codec {
	return codec{
		set: func(v value) {
			text, ok := d.given(v)
			if !ok {
				return
			}
			path := d.resolvePath(text)
			content, err := readFile(path, maxSecretFile)
			if err != nil {
				d.problem(v, "cannot read the file that this names: %v (a relative path starts at the configuration's folder)", err)
				return
			}
			if _, err := cleanSecret(content); err != nil {
				d.problem(v, "the file that this names %v", err)
				return
			}
			*into = path
		},
		show: func() any { return shownText(*into) },
	}
}

// resolvePath returns a path that is relative to the main file as one that the process can open.
func (d *decoder) resolvePath(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(d.dir, path)
}

// checkKeys reports keys that do not go together among the access key and its token.
func (d *decoder) checkKeys(v value, found keys) {
	given := map[string]bool{}
	for _, key := range []string{"access_key_id", "access_key_secret", "security_token"} {
		if found.has(key) && found.has(key+"_file") {
			d.problem(found[key+"_file"], "give either %s or %s_file, not both", key, key)
		}
		given[key] = found.has(key) || found.has(key+"_file")
	}
	switch id, secret := given["access_key_id"], given["access_key_secret"]; {
	case id && !secret:
		d.problem(v, "access_key_id needs access_key_secret (or access_key_secret_file)")
	case secret && !id:
		d.problem(v, "access_key_secret needs access_key_id (or access_key_id_file)")
	case given["security_token"] && !id:
		d.problem(v, "security_token needs access_key_id and access_key_secret")
	}
}

// checkIdentity reports more than one identity, and a role that nothing may assume.
func (d *decoder) checkIdentity(v value, found keys) {
	access := false
	for _, key := range []string{"access_key_id", "access_key_secret", "security_token"} {
		access = access || found.has(key) || found.has(key+"_file")
	}
	role, token, provider := found.has("role_arn"), found.has("oidc_token_file"), found.has("oidc_provider_arn")
	var ways []string
	for _, key := range []string{"profile", "ecs_ram_role", "role_arn"} {
		if found.has(key) {
			ways = append(ways, key)
		}
	}
	if access && !role {
		ways = append(ways, "access keys")
	}
	if len(ways) > 1 {
		d.problem(v, "more than one identity: %s; keep one", strings.Join(ways, ", "))
	}
	switch {
	case token != provider:
		d.problem(v, "oidc_token_file and oidc_provider_arn need each other")
	case token && !role:
		d.problem(v, "oidc_token_file and oidc_provider_arn need role_arn")
	case token && access:
		d.problem(v, "role_arn is assumed with access keys or by OIDC, not both")
	case role && !token && !access:
		d.problem(v, "role_arn needs something to assume it with: access keys, or oidc_token_file and oidc_provider_arn")
	}
}
