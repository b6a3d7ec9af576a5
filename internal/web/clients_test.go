package web

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
)

func TestPagesWaitForTheirTurnAndNotForOnesThatNobodyAwaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h := inTurn(1, 2, "full")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			<-release
			w.WriteHeader(http.StatusNoContent)
		}))
		answers := make(chan int, 10)
		ask := func(ctx context.Context) {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody))
			answers <- w.Code
		}
		leaving, leave := context.WithCancel(t.Context())
		for _, ctx := range []context.Context{t.Context(), t.Context(), leaving} {
			go ask(ctx)
			synctest.Wait()
		}
		if ask(t.Context()); len(answers) != 1 || <-answers != http.StatusServiceUnavailable {
			t.Error("one more than may wait is not refused at once")
		}
		leave()
		synctest.Wait()
		if len(answers) != 1 || <-answers != http.StatusOK { // the recorder's, for no answer
			t.Error("who has gone waits still")
		}
		go ask(t.Context())
		synctest.Wait()
		close(release)
		synctest.Wait()
		for range 3 {
			if code := <-answers; code != http.StatusNoContent {
				t.Errorf("one that waited got %d", code)
			}
		}
	})
}

// stuck is a client that reads nothing.
type stuck struct {
	http.ResponseWriter
	begun, end chan struct{}
}

func (s *stuck) Write(p []byte) (int, error) {
	close(s.begun)
	<-s.end
	return len(p), nil
}

func TestAClientThatReadsNothingKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inTurn(1, 2, "full")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", "y")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, "page")
		}))
		unread := make(chan struct{})
		defer close(unread)
		begun := make(chan struct{})
		go h.ServeHTTP(&stuck{httptest.NewRecorder(), begun, unread}, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
		<-begun
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
		if w.Code != http.StatusNotFound || w.Header().Get("X") != "y" || w.Body.String() != "page" {
			t.Errorf("another got %d %s", w.Code, w.Body)
		}
	})
}
