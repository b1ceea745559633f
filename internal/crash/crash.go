//go:build crashtest

// Package crash kills the process at a named point, for crash tests of the real program. It exists only in builds with
// the tag crashtest.
package crash

import (
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
)

var (
	at    = os.Getenv("SETTLER_CRASH_AT")
	log   = os.Getenv("SETTLER_CRASH_LOG")
	mu    sync.Mutex // serialises the log
	known = map[string]bool{}
)

// Point ends the process as a power cut would when it is the point that SETTLER_CRASH_AT names. Each point is written to
// the file that SETTLER_CRASH_LOG names, once.
func Point(name string) {
	if name == at {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	if log == "" {
		return
	}
	mu.Lock()
	defer mu.Unlock()
	if known[name] {
		return
	}
	known[name] = true
	f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err) // a crash test without its list of points would prove nothing
	}
	_, _ = f.WriteString(name + "\n")
	_ = f.Close()
}

// Transport puts a point before and after each call of an HTTP client.
type Transport struct{ Next http.RoundTripper }

// RoundTrip sends the request. The point after it is reached when the answer's head has arrived: the call has acted.
func (t Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	name := call(req)
	Point("before " + name)
	resp, err := t.Next.RoundTrip(req)
	Point("after " + name)
	return resp, err
}

// call is method and path, without what differs from run to run: segments with a digit are ids.
func call(req *http.Request) string {
	segments := strings.Split(req.URL.Path, "/")
	for i, s := range segments {
		if strings.ContainsAny(s, "0123456789") && s != "v1" {
			segments[i] = "ID"
		}
	}
	return req.Method + " " + strings.Join(segments, "/")
}
