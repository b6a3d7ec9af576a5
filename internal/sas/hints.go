package sas

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds what a header can make the exporter wait, as Alibaba's own command line
// does.
const maxRetryAfter = time.Minute

// retryAfter reads how long an answer asks to wait; 0 if it does not say. x-acs-retry-after and the
// field TimeLeft of x-ratelimit-* are milliseconds (source of Alibaba's v2 SDK and command line);
// Retry-After, which proxies send, is seconds. The longest one counts.
func retryAfter(h http.Header) time.Duration {
	longest := max(
		milliseconds(h.Get("x-acs-retry-after")),
		timeLeft(h.Get("x-ratelimit-user-api")),
		timeLeft(h.Get("x-ratelimit-user")),
		1000*milliseconds(h.Get("Retry-After")),
	)
	return min(longest, maxRetryAfter)
}

// timeLeft reads a header such as "Limit:1,Remain:0,TimeLeft:2000,Reset:1234".
func timeLeft(header string) time.Duration {
	for field := range strings.SplitSeq(header, ",") {
		if value, found := strings.CutPrefix(strings.TrimSpace(field), "TimeLeft:"); found {
			return milliseconds(value)
		}
	}
	return 0
}

// milliseconds reads a whole positive number; anything else is no hint. It is capped here so that
// no later arithmetic overflows.
func milliseconds(text string) time.Duration {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 63)
	if err != nil {
		return 0
	}
	return min(time.Duration(min(n, 1<<32))*time.Millisecond, maxRetryAfter)
}
