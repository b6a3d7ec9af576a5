package sas

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"regexp"
	"sync"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"golang.org/x/sync/singleflight"
)

// CredentialOptions say where an account's credentials come from. All fields empty means the SDK's
// default chain.
type CredentialOptions struct {
	// Keys returns the configured access key and, if any, its security token. It is called for
	// every request, so that rotated files take effect. Its errors are logged as they are and must
	// not hold what was read.
	Keys func() (id, secret, token string, err error)
	// Profile is one of the command line's, in ~/.aliyun/config.json.
	Profile string
	// ECSRAMRole is the role of the instance that the exporter runs on.
	ECSRAMRole string
	// RoleARN is assumed with Keys, or by OIDC where the next two are set.
	RoleARN                        string
	OIDCTokenFile, OIDCProviderARN string
}

// sessionName is what Alibaba's audit log shows for assumed roles.
const sessionName = "aliyun-vulscan-exporter"

// sessionSeconds is how long an assumed role's session is asked to last; the most that OIDC
// sessions may, and a value that every role allows.
const sessionSeconds = 3600

// sessionGrace is how long credentials stay good after the SDK handed them out last: its providers
// renew a session when 180 s or less of it remain.
const sessionGrace = 180 * time.Second

// renewPause keeps a failing STS from being asked for every single call.
const renewPause = 5 * time.Second

// keyring returns an account's credentials. It handles what the SDK's providers do not: concurrent
// use, panics, errors that quote keys, a failed renewal while the old session is still good, and a
// default chain that stays with its last member after a failure.
type keyring struct {
	build  func() (credentials.CredentialsProvider, error)
	source string // for messages
	flight singleflight.Group

	mu       sync.Mutex
	provider credentials.CredentialsProvider
	last     *credentials.Credentials
	lastAt   time.Time
	failedAt time.Time
	failure  error
}

func newKeyring(o CredentialOptions) *keyring {
	k := &keyring{}
	switch {
	case o.OIDCTokenFile != "":
		k.source = "role " + o.RoleARN + " by OIDC"
		k.build = func() (credentials.CredentialsProvider, error) {
			return credentials.NewOIDCCredentialsProviderBuilder().WithRoleArn(o.RoleARN).
				WithOIDCProviderARN(o.OIDCProviderARN).WithOIDCTokenFilePath(o.OIDCTokenFile).
				WithRoleSessionName(sessionName).WithDurationSeconds(sessionSeconds).Build()
		}
	case o.RoleARN != "":
		k.source = "role " + o.RoleARN
		k.build = func() (credentials.CredentialsProvider, error) {
			return credentials.NewRAMRoleARNCredentialsProvider(configuredKeys(o.Keys), o.RoleARN, sessionName, sessionSeconds, "", "", "")
		}
	case o.Keys != nil:
		k.source = "the configured keys"
		k.build = func() (credentials.CredentialsProvider, error) { return configuredKeys(o.Keys), nil }
	case o.Profile != "":
		k.source = "profile " + o.Profile
		k.build = func() (credentials.CredentialsProvider, error) {
			return credentials.NewCLIProfileCredentialsProviderBuilder().WithProfileName(o.Profile).Build(), nil
		}
	case o.ECSRAMRole != "":
		k.source = "instance role " + o.ECSRAMRole
		k.build = func() (credentials.CredentialsProvider, error) {
			return credentials.NewECSRAMRoleCredentialsProvider(o.ECSRAMRole), nil
		}
	default:
		k.source = "the default chain"
		k.build = func() (credentials.CredentialsProvider, error) {
			return credentials.NewDefaultCredentialsProvider(), nil
		}
	}
	return k
}

// configuredKeys is a provider of the keys in the configuration.
type configuredKeys func() (id, secret, token string, err error)

// GetCredentials implements credentials.CredentialsProvider.
func (k configuredKeys) GetCredentials() (*credentials.Credentials, error) {
	id, secret, token, err := k()
	if err != nil {
		return nil, keysError{err}
	}
	cc := &credentials.Credentials{AccessKeyId: id, AccessKeySecret: secret, SecurityToken: token}
	cc.ProviderName = k.GetProviderName()
	if token != "" {
		cc.ProviderName = "static_sts"
	}
	return cc, nil
}

// keysError marks an error of CredentialOptions.Keys, whose text is safe.
type keysError struct{ error }

// GetProviderName implements credentials.CredentialsProvider.
func (configuredKeys) GetProviderName() string { return "static_ak" }

// get returns credentials. Only one caller at a time talks to the SDK's provider, which knows no
// context; the others wait for it, or for theirs.
func (k *keyring) get(ctx context.Context) (*credentials.Credentials, error) {
	fetched := k.flight.DoChan("", func() (any, error) { return k.fetch() })
	select {
	case r := <-fetched:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*credentials.Credentials), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("credentials from %s: no answer in time", k.source)
	}
}

// renew forgets the session, because the service refused it.
func (k *keyring) renew() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.provider, k.last, k.failure = nil, nil, nil
}

// fetch asks the provider, and falls back to the last credentials while they are still good.
func (k *keyring) fetch() (*credentials.Credentials, error) {
	k.mu.Lock()
	provider := k.provider
	if k.failure != nil && time.Since(k.failedAt) < renewPause {
		defer k.mu.Unlock()
		return k.fallback()
	}
	k.mu.Unlock()

	provider, cc, err := k.ask(provider)

	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		// The next call makes a new provider. The default chain and profiles would never notice
		// otherwise that the cause was mended.
		k.provider = nil
		k.failedAt, k.failure = time.Now(), fmt.Errorf("credentials from %s: %s", k.source, harmless(err))
		return k.fallback()
	}
	k.provider, k.failure = provider, nil
	k.last, k.lastAt = cc, time.Now()
	return cc, nil
}

// fallback returns the last credentials if they are still good, else the error.
func (k *keyring) fallback() (*credentials.Credentials, error) {
	if k.last != nil && time.Since(k.lastAt) < sessionGrace {
		return k.last, nil
	}
	return nil, k.failure
}

// errPanic stands for a panic of the SDK, which some answers of instance metadata and STS cause.
var errPanic = errors.New("the SDK panicked on what the credentials service answered")

// ask gets credentials from a provider, which it makes if there is none, and turns panics and
// absent keys into errors.
func (k *keyring) ask(p credentials.CredentialsProvider) (used credentials.CredentialsProvider, cc *credentials.Credentials, err error) {
	defer func() {
		if recover() != nil {
			used, cc, err = nil, nil, errPanic
		}
	}()
	if p == nil {
		if p, err = k.build(); err != nil {
			return nil, nil, err
		}
	}
	cc, err = p.GetCredentials()
	if err == nil && (cc == nil || cc.AccessKeyId == "" || cc.AccessKeySecret == "") {
		err = errEmpty
	}
	return p, cc, err
}

var errEmpty = errors.New("there is no access key in them")

// stsCode finds the error code in what an SDK error quotes of STS's answer: in a ServerError's own
// words, or in the answer's JSON.
var stsCode = regexp.MustCompile(`(?:ErrorCode: |"Code"\s*:\s*")([A-Za-z0-9._-]{1,80})["\s]`)

// harmless returns the part of a credentials error that may be logged. The SDK's own texts quote
// configuration files, answers and signed URLs whole.
func harmless(err error) string {
	var path *fs.PathError
	var network *url.Error
	var keys keysError
	switch {
	case errors.As(err, &keys):
		return keys.Error()
	case errors.Is(err, errPanic), errors.Is(err, errEmpty):
		return err.Error()
	case errors.As(err, &path):
		return path.Error()
	case errors.As(err, &network):
		return safeCause(err)
	}
	if m := stsCode.FindStringSubmatch(err.Error()); m != nil {
		return "STS answered " + m[1]
	}
	return "none could be had (details are withheld because they may quote keys); check with Alibaba's command line, as the same user"
}
