// Package chaintest stands between a program and a chain's RPC endpoint: a proxy that lies and fails on command, a relay that
// cuts connections, a replay of recorded answers, and a made-up cluster of Solana.
package chaintest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// Proxy forwards JSON-RPC requests to a real endpoint, until it is told to answer otherwise. Its methods may be called at any
// time from any goroutine.
type Proxy struct {
	server *httptest.Server
	target string

	mu      sync.Mutex // guards the rest
	handler func(Call) Answer
	calls   map[string]int // method → how often it was called, also by calls that were not forwarded
}

// Call is one call of a request. A batch holds several.
type Call struct {
	Method string
	Params json.RawMessage
	// Forward asks the real endpoint and returns its result, or "null" beside an error. It is for answers that are nearly
	// true.
	Forward func() (result json.RawMessage, err error)
}

// Answer is what becomes of a call. The zero value closes the connection without a word.
type Answer struct {
	Delay time.Duration // waited before anything else

	Pass   bool            // the real endpoint answers
	Result json.RawMessage // the result instead of the real one
	Error  *RPCError       // a JSON-RPC error instead of a result

	// Status and Body are the whole HTTP answer, that of the whole batch when the call is part of one. Body alone has status
	// 200, Status alone an empty body.
	Status int
	Body   string
	// Cut sends the real endpoint's answer to the middle and closes the connection.
	Cut bool
}

// RPCError is the error member of a JSON-RPC answer.
type RPCError struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

func (e *RPCError) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

// Pass leaves the call to the real endpoint.
var Pass = Answer{Pass: true}

// Hide answers that there is no such thing.
var Hide = Answer{Result: json.RawMessage("null")}

// NewProxy starts a proxy in front of the URL. It ends with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	p := &Proxy{target: target, calls: make(map[string]int)}
	p.server = httptest.NewServer(p)
	t.Cleanup(func() {
		p.server.CloseClientConnections()
		p.server.Close()
	})
	return p
}

// URL is where the proxy listens.
func (p *Proxy) URL() string { return p.server.URL }

// Handle gives every call that comes from now on to the function, which sees the call's method. nil forwards everything
// again. The function runs in several goroutines at a time.
func (p *Proxy) Handle(f func(method string) Answer) {
	if f == nil {
		p.Intercept(nil)
		return
	}
	p.Intercept(func(c Call) Answer { return f(c.Method) })
}

// Intercept is Handle for functions that look at more than the method.
func (p *Proxy) Intercept(f func(Call) Answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handler = f
}

// Calls is how often the method was called.
func (p *Proxy) Calls(method string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[method]
}

// message is a JSON-RPC request.
type message struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params,omitempty"`
}

// answer is a JSON-RPC answer.
type answer struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *RPCError       `json:"error,omitempty"`
}

// ServeHTTP answers one request, single or batch.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the caller has gone
	}
	messages, batch, err := parse(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	handler := p.count(messages)
	if handler == nil {
		p.forward(w, r, body, false)
		return
	}
	answers := make([]answer, len(messages))
	for i, m := range messages {
		call := Call{Method: m.Method, Params: m.Params, Forward: func() (json.RawMessage, error) { return p.ask(r, m) }}
		a := handler(call)
		select {
		case <-time.After(a.Delay):
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
		answers[i] = answer{Version: "2.0", ID: m.ID}
		switch {
		case a.Pass:
			result, err := call.Forward()
			answers[i].Result, answers[i].Error = result, asRPCError(err)
		case a.Error != nil:
			answers[i].Error = a.Error
		case a.Result != nil:
			answers[i].Result = a.Result
		case a.Cut:
			p.forward(w, r, body, true)
			return
		case a.Status != 0 || a.Body != "":
			w.Header().Set("Content-Type", "application/json")
			if a.Status != 0 {
				w.WriteHeader(a.Status)
			}
			_, _ = io.WriteString(w, a.Body) // a caller that has gone misses nothing
			return
		default:
			panic(http.ErrAbortHandler)
		}
		if answers[i].Error != nil {
			answers[i].Result = nil
		}
	}
	w.Header().Set("Content-Type", "application/json")
	var out any = answers
	if !batch {
		out = answers[0]
	}
	_ = json.NewEncoder(w).Encode(out) // a caller that has gone misses nothing
}

// count counts the calls and returns who answers them.
func (p *Proxy) count(messages []message) func(Call) Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range messages {
		p.calls[m.Method]++
	}
	return p.handler
}

// forward sends the whole request on and copies the answer, or its first half.
func (p *Proxy) forward(w http.ResponseWriter, r *http.Request, body []byte, half bool) {
	status, text, err := p.post(r, body)
	if err != nil {
		panic(http.ErrAbortHandler) // there is no real answer to give
	}
	w.Header().Set("Content-Type", "application/json")
	if !half {
		w.WriteHeader(status)
		_, _ = w.Write(text) // a caller that has gone misses nothing
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text[:len(text)/2])
	_ = http.NewResponseController(w).Flush() // what is buffered would be dropped
	panic(http.ErrAbortHandler)
}

// ask sends one call on.
func (p *Proxy) ask(r *http.Request, m message) (json.RawMessage, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return json.RawMessage("null"), fmt.Errorf("encode call: %w", err)
	}
	_, text, err := p.post(r, body)
	if err != nil {
		return json.RawMessage("null"), err
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return json.RawMessage("null"), fmt.Errorf("decode the endpoint's answer: %w", err)
	}
	if a.Error != nil {
		return json.RawMessage("null"), a.Error
	}
	if a.Result == nil {
		return json.RawMessage("null"), nil
	}
	return a.Result, nil
}

func (p *Proxy) post(r *http.Request, body []byte) (status int, text []byte, err error) {
	request, err := http.NewRequestWithContext(r.Context(), http.MethodPost, p.target, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("ask the endpoint: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept-Encoding", "identity") // go-ethereum's node spends a good part of a test on compressing
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("ask the endpoint: %w", err)
	}
	defer response.Body.Close()
	text, err = io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("read the endpoint's answer: %w", err)
	}
	return response.StatusCode, text, nil
}

// parse reads a request of one call or a batch.
func parse(body []byte) (messages []message, batch bool, err error) {
	body = bytes.TrimSpace(body)
	if batch = bytes.HasPrefix(body, []byte("[")); batch {
		err = json.Unmarshal(body, &messages)
	} else {
		messages = make([]message, 1)
		err = json.Unmarshal(body, &messages[0])
	}
	if err != nil {
		return nil, false, fmt.Errorf("decode request: %w", err)
	}
	if len(messages) == 0 {
		return nil, false, fmt.Errorf("decode request: an empty batch")
	}
	return messages, batch, nil
}

// asRPCError is the error as a caller of the endpoint sees it.
func asRPCError(err error) *RPCError {
	if err == nil {
		return nil
	}
	if e, is := err.(*RPCError); is { //nolint:errorlint // ask returns it unwrapped
		return e
	}
	const internalError = -32603 // JSON-RPC 2.0, 5.1
	return &RPCError{Code: internalError, Message: err.Error()}
}
