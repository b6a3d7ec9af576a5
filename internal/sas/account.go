package sas

import (
	"time"

	"aliyun_vulscan_exporter/config"
)

// ForAccount makes the Client of a configured account. exporter is what the User-Agent names, as in
// "exporter/1.0"; observe is Options.Observe.
func ForAccount(a config.Account, exporter string, observe func(action, result string, took time.Duration)) *Client {
	c := a.Credentials
	o := CredentialOptions{
		Profile: c.Profile, ECSRAMRole: c.ECSRAMRole, RoleARN: c.RoleARN,
		OIDCTokenFile: c.OIDCTokenFile, OIDCProviderARN: c.OIDCProviderARN,
	}
	if c.AccessKeyID.IsSet() {
		o.Keys = func() (string, string, string, error) { return readKeys(c) }
	}
	return NewClient(Options{
		Account: a.Name, Scheme: a.Endpoint.Scheme, Host: a.Endpoint.Host, Region: a.Region,
		Credentials: o, Timeout: a.Timeout, Connections: a.Concurrency,
		Product: exporter, Observe: observe, ResourceDirectoryAccountID: a.ResourceDirectoryAccountID,
	})
}

// readKeys returns the configured keys; those in files as they are now.
func readKeys(c config.Credentials) (id, secret, token string, err error) {
	if id, err = c.AccessKeyID.Read(); err != nil {
		return "", "", "", err
	}
	if secret, err = c.AccessKeySecret.Read(); err != nil || !c.SecurityToken.IsSet() {
		return id, secret, "", err
	}
	token, err = c.SecurityToken.Read()
	return id, secret, token, err
}
