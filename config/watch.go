package config

import (
	"context"
	"time"
)

// WatchServerFiles looks at the running configuration's server files every interval (more than 0) until ctx ends.
// When one has changed, appeared or gone, it loads them all, under the main file as last loaded: an edited main file
// waits for Reload. As with Reload, an error is logged and everything stays; files that failed are tried again once
// they change again. Files should be replaced by renaming, since one half written may be valid.
func (h *Holder) WatchServerFiles(ctx context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			h.checkServerFiles()
		}
	}
}

// checkServerFiles loads the server files if they are not what the last attempt saw.
func (h *Holder) checkServerFiles() {
	h.loading.Lock()
	defer h.loading.Unlock()

	running := h.Current()
	stamps := running.stampFiles()
	if stamps.same(h.seen) {
		return
	}
	h.seen = stamps
	if err := h.replace(running.source.name, running.source.content); err != nil {
		h.filesOK = false
		_ = h.failed(err) // logged; there is no caller to tell
		return
	}
	h.succeeded(h.Current())
}
