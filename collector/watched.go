package collector

// Watched is a server that is polled, for others that look for targets.
type Watched struct {
	Account, UUID, Name string
	// Region, InstanceID, IP and OS are known of discovered servers only.
	Region, InstanceID, IP, OS string
	Labels                     map[string]string // as configured; not to be changed
}

// Servers gives the servers that are polled now.
func (c *Collector) Servers() []Watched {
	var list []Watched
	for _, a := range c.running() {
		for _, r := range a.records() {
			list = append(list, r.server.watched(a.config.Name))
		}
	}
	return list
}

func (t *target) watched(account string) Watched {
	return Watched{
		Account: account, UUID: t.UUID, Name: t.Name, Labels: t.Labels,
		Region: t.fact("region"), InstanceID: t.fact("instance_id"), IP: t.fact("ip"), OS: t.fact("os"),
	}
}
