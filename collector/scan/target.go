package scan

import (
	"maps"
	"slices"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/discovery"
)

// Target is a server that is polled: configured, discovered or both. It is never changed.
type Target struct {
	config.Server                   // its TaskIDs are all that it is asked for, discovered ones too
	AssetInfo     *discovery.Server // what discovery knows of it; nil if it was not discovered
}

// Key is what tells servers apart.
func (t *Target) Key() string { return KeyOf(t.UUID) }

// KeyOf returns what tells a server apart that has this UUID, however it is spelt.
func KeyOf(uuid string) string { return config.ServerKey(uuid) }

// Same reports whether two targets are polled and shown alike.
func (t *Target) Same(as *Target) bool {
	return t.UUID == as.UUID && t.Name == as.Name && slices.Equal(t.TaskIDs, as.TaskIDs) &&
		slices.Equal(t.Types, as.Types) && maps.Equal(t.Labels, as.Labels) && sameAsset(t.AssetInfo, as.AssetInfo)
}

func sameAsset(a, b *discovery.Server) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Same(b)
}

// Asset returns what discovery knows of the server, all empty if that is nothing.
func (t *Target) Asset() discovery.Server {
	if t.AssetInfo == nil {
		return discovery.Server{}
	}
	return *t.AssetInfo
}
