package orchestrationtest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/settler-pay/settler/orchestration"
)

// Fault is what goes wrong with one request. The zero value is nothing. Refuse,
// Slow, LoseAnswer and Nonsense make the usual ones.
type Fault struct {
	// Delay before anything else. When the client leaves meanwhile, the server
	// goes on at once.
	Delay time.Duration
	// Skip: the server does not act.
	Skip bool
	// Cut: the connection is closed without an answer.
	Cut bool
	// Status and Code answer an error instead; Code defaults to INTERNAL_ERROR.
	Status int
	Code   orchestration.Code
	// RetryAfter is sent with Status, in whole seconds, unless zero.
	RetryAfter time.Duration
	// Body is answered instead, with Status or 200.
	Body string
}

// Refuse does not act and answers an error of that status; with 0 it closes the
// connection.
func Refuse(status int) Fault { return Fault{Skip: true, Cut: status == 0, Status: status} }

// Slow waits and then acts and answers.
func Slow(delay time.Duration) Fault { return Fault{Delay: delay} }

// LoseAnswer acts and closes the connection without an answer.
func LoseAnswer() Fault { return Fault{Cut: true} }

// Nonsense does not act and answers 200 with a page.
func Nonsense() Fault { return Fault{Skip: true, Body: "<html>ok</html>"} }

// faults decide what goes wrong: a program's function, then what was asked for
// by the control endpoint.
type faults struct {
	mu    sync.Mutex // owns what follows
	match func(*http.Request) Fault
	asked []*askedFault
}

// Fault asks match about each request from now on, one at a time; nil ends it.
func (s *Server) Fault(match func(*http.Request) Fault) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.match = match
}

func (f *faults) of(r *http.Request) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.match != nil {
		if fault := f.match(r); fault != (Fault{}) {
			return fault
		}
	}
	for _, each := range f.asked {
		if fault, ok := each.next(r); ok {
			return fault
		}
	}
	return Fault{}
}

// replaces reports whether the fault answers in place of the server.
func (f Fault) replaces() bool { return f.Cut || f.Status != 0 || f.Body != "" || f.Skip }

func (f Fault) write(w http.ResponseWriter) {
	if f.Cut {
		panic(http.ErrAbortHandler) // closes the connection, as net/http documents
	}
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())))
	}
	status := f.Status
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	if f.Body != "" {
		_, _ = w.Write([]byte(f.Body)) // a client that left has no use for it
		return
	}
	code := f.Code
	if code == "" {
		code = "INTERNAL_ERROR"
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": code, "message": "injected fault"}})
}
