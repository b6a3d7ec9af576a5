package config

import (
	"context"
	"os"
	"time"
)

// Run keeps the configuration up to date until ctx ends: every signal on hangup causes a Reload,
// and server files are looked at every interval (more than 0). When one has changed, appeared or
// gone, all are loaded, under the main file as last loaded: an edited main file waits for Reload.
// Errors are logged and everything stays; files that failed are tried again once they change again.
// Files should be replaced by renaming, since one half written may be valid.
func (m *Manager) Run(ctx context.Context, hangup <-chan os.Signal, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			_ = m.Reload() // logged; there is no caller to tell
		case <-ticker.C:
			m.checkServerFiles()
		}
	}
}

// checkServerFiles loads the server files if they are not what the last attempt saw.
func (m *Manager) checkServerFiles() {
	m.loading.Lock()
	defer m.loading.Unlock()

	running := m.Current()
	stamps := running.stampFiles()
	if stamps.same(m.seen) {
		return
	}
	m.seen = stamps
	if err := m.replace(running.source.name, running.source.content); err != nil {
		m.filesOK = false
		_ = m.failed(err) // logged; there is no caller to tell
		return
	}
	m.succeeded(m.Current())
}
