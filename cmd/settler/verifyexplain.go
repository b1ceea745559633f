package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// maxShown is how much of a question or an answer is shown, in bytes.
const maxShown = 160

// verifyCheck is one check of a look, and what was asked for it.
type verifyCheck struct {
	Endpoint string       `json:"endpoint"`
	Check    string       `json:"check"`
	Found    string       `json:"found,omitempty"`
	Calls    []verifyCall `json:"calls,omitempty"`
}

type verifyCall struct {
	Asked    string `json:"asked"`    // method and parameters
	Answered string `json:"answered"` // the beginning of the result or error
}

// transcript collects the checks of a look and the calls that were made for each.
type transcript struct {
	next    http.RoundTripper
	names   map[string]string // URL → name of the endpoint; the URL is shown nowhere
	secrets []string          // parts of URLs and headers that are shown nowhere either

	mu     sync.Mutex // owns the fields below
	calls  map[string][]verifyCall
	checks []verifyCheck
}

// newTranscript has the looks over the client that it returns told to it; base may be nil.
func newTranscript(base *http.Client) (*transcript, *http.Client) {
	t := &transcript{names: make(map[string]string), calls: make(map[string][]verifyCall), next: http.DefaultTransport}
	if base != nil {
		t.next = base.Transport
	}
	return t, &http.Client{Transport: t}
}

// follow tells the transcript of an endpoint before it is asked.
func (t *transcript) follow(name, address string, header http.Header) {
	t.names[address] = name
	secrets := []string{address}
	if u, err := url.Parse(address); err == nil { // another one is refused
		secrets = append(secrets, u.User.String(), u.RawQuery)
		secrets = append(secrets, strings.Split(u.Path, "/")...)
	}
	for _, values := range header {
		secrets = append(secrets, values...)
	}
	for _, s := range secrets {
		if len(s) >= 6 { // shorter ones hide nothing
			t.secrets = append(t.secrets, s)
		}
	}
}

func (t *transcript) check(endpoint, name, found string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.checks = append(t.checks, verifyCheck{Endpoint: endpoint, Check: name, Found: found, Calls: t.calls[endpoint]})
	delete(t.calls, endpoint)
}

// end is all checks; calls that led to none are what could not be looked at.
func (t *transcript) end() []verifyCheck {
	t.mu.Lock()
	defer t.mu.Unlock()
	for endpoint, calls := range t.calls {
		t.checks = append(t.checks, verifyCheck{Endpoint: endpoint, Check: "could not look", Calls: calls})
	}
	return t.checks
}

// RoundTrip implements http.RoundTripper.
func (t *transcript) RoundTrip(r *http.Request) (*http.Response, error) {
	question, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_ = r.Body.Close() // it was read to its end
	call := verifyCall{Asked: asked(question)}
	name := t.names[r.URL.String()]
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(question))
	response, err := t.next.RoundTrip(r)
	call.Answered = "no answer" // the look itself says why
	if err == nil {
		var head []byte
		body := response.Body
		if head, err = io.ReadAll(io.LimitReader(body, 8*maxShown)); err == nil {
			call.Answered = shorten(t.redact(answered(response.StatusCode, head)))
		} else {
			_ = body.Close() // the error of reading it tells more
			response = nil
		}
		if response != nil {
			response.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(bytes.NewReader(head), body), body}
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls[name] = append(t.calls[name], call)
	return response, err
}

// redact takes out of an answer what may be a key: servers repeat the URL that they were asked at.
func (t *transcript) redact(text string) string {
	for _, secret := range t.secrets {
		text = strings.ReplaceAll(text, secret, "…")
	}
	return text
}

func asked(question []byte) string {
	var q struct {
		Method string
		Params json.RawMessage
	}
	if json.Unmarshal(question, &q) != nil {
		return "a question"
	}
	return q.Method + " " + shorten(string(q.Params))
}

func answered(status int, head []byte) string {
	text := string(head)
	for _, before := range []string{`"result":`, `"error":`} {
		if _, after, ok := strings.Cut(text, before); ok {
			text = strings.TrimSuffix(after, "}")
			break
		}
	}
	if status != http.StatusOK {
		text = http.StatusText(status) + " " + text
	}
	return text
}

func shorten(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "…"
	}
	return text
}

// writeChecks prints them for people.
func writeChecks(out *strings.Builder, checks []verifyCheck) {
	if len(checks) == 0 {
		return
	}
	out.WriteString("\nchecks\n")
	for _, c := range checks {
		for _, call := range c.Calls {
			out.WriteString("  " + c.Endpoint + " < " + call.Asked + "\n  " + c.Endpoint + " > " + call.Answered + "\n")
		}
		out.WriteString("  " + c.Endpoint + ": " + c.Check)
		if c.Found != "" {
			out.WriteString(": " + c.Found)
		}
		out.WriteString("\n")
	}
}
