//go:build soak

package processtest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

// faults make one call in twenty fail, and refuse all of them for 10 s in every five minutes.
type faults struct {
	start time.Time
	off   atomic.Bool
	made  atomic.Int64
}

func (f *faults) intercept(w http.ResponseWriter, r *simulator.Request) bool {
	refused := time.Since(f.start)%(5*time.Minute) > 290*time.Second
	if f.off.Load() || !refused && rand.IntN(20) > 0 {
		return false
	}
	f.made.Add(1)
	if refused {
		r.Fail(w, http.StatusNotFound, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
		return true
	}
	switch rand.IntN(8) {
	case 0:
		r.Fail(w, http.StatusBadRequest, "Throttling.User", "Request was denied due to user flow control.")
	case 1:
		r.Fail(w, http.StatusServiceUnavailable, "ServiceUnavailable", "The request has failed due to a temporary failure of the server.")
	case 2:
		fmt.Fprint(w, `{"RequestId":"R","TaskStatuses":[{`)
	case 3:
		fmt.Fprint(w, "null")
	case 4:
		fmt.Fprint(w, `{"RequestId":"R","Code":"ServerError","Message":"within a 200"}`)
	case 5:
		panic(http.ErrAbortHandler) // the connection ends
	case 6:
		if rand.IntN(10) == 0 {
			<-r.HTTP.Context().Done() // until the caller has lost patience
			return true
		}
		w.WriteHeader(http.StatusOK) // without a body
	default:
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "<html>bad gateway</html>")
	}
	return true
}
