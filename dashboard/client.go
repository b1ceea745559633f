package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"github.com/settler-pay/settler/api"
)

// question is a request of the API.
type question struct {
	method, path string
	query        url.Values
	headers      map[string]string
	body         any       // encoded as JSON
	raw          io.Reader // or as it is
}

// ask is send for an answer in JSON.
func ask[T any](p *pages, r *http.Request, q question) (T, error) {
	var answer T
	w, err := p.send(r, q)
	if err == nil {
		if err = json.Unmarshal(w.body.Bytes(), &answer); err != nil {
			err = fmt.Errorf("decode answer of %s: %w", q.path, err)
		}
	}
	return answer, err
}

// get is ask for what is only read.
func get[T any](p *pages, r *http.Request, path string, query url.Values) (T, error) {
	return ask[T](p, r, question{method: http.MethodGet, path: path, query: query})
}

// send asks the API of this process on behalf of who has signed in. An answer that is not a success is an *api.Problem.
func (p *pages) send(r *http.Request, q question) (*recorder, error) {
	w := &recorder{header: make(http.Header), status: http.StatusOK}
	if err := p.serve(w, r, q); err != nil {
		return nil, err
	}
	return w, w.problem(q)
}

// pass is send for a file of any size: it goes on to the browser as it comes.
func (p *pages) pass(w http.ResponseWriter, r *http.Request, q question) error {
	through := &passage{recorder: recorder{header: make(http.Header), status: http.StatusOK}, to: w}
	if err := p.serve(through, r, q); err != nil {
		return err
	}
	return through.problem(q)
}

// serve has the API of this process answer.
func (p *pages) serve(w http.ResponseWriter, r *http.Request, q question) error {
	body := q.raw
	if q.body != nil {
		text, err := json.Marshal(q.body)
		if err != nil {
			return fmt.Errorf("encode %s: %w", q.path, err)
		}
		body = bytes.NewReader(text)
	}
	// The router must not take the request for a part of the page's own.
	ctx := context.WithValue(r.Context(), chi.RouteCtxKey, (*chi.Context)(nil))
	who, ok := ctx.Value(whoContext{}).(api.SignedIn)
	if ok {
		ctx = api.As(ctx, who)
	}
	target := url.URL{Path: q.path, RawQuery: q.query.Encode()}
	inner, err := http.NewRequestWithContext(ctx, q.method, target.String(), body)
	if err != nil {
		return fmt.Errorf("ask %s: %w", q.path, err)
	}
	inner.RemoteAddr = r.RemoteAddr
	for _, name := range []string{"X-Forwarded-For", "X-Request-Id"} {
		inner.Header[name] = r.Header[name]
	}
	inner.Header.Set("Content-Type", "application/json")
	for name, value := range q.headers {
		inner.Header.Set(name, value)
	}
	p.cfg.API.ServeHTTP(w, inner)
	return nil
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header                  { return w.header }
func (w *recorder) WriteHeader(status int)               { w.status = status }
func (w *recorder) Write(text []byte) (n int, err error) { return w.body.Write(text) }

// problem is nil for a success.
func (w *recorder) problem(q question) error {
	if w.status < http.StatusBadRequest {
		return nil
	}
	problem := new(api.Problem)
	if err := json.Unmarshal(w.body.Bytes(), problem); err != nil {
		return fmt.Errorf("decode problem of %s: %w", q.path, err)
	}
	return problem
}

// passage keeps a problem, and hands on a success.
type passage struct {
	recorder

	to http.ResponseWriter
}

func (w *passage) WriteHeader(status int) {
	w.recorder.WriteHeader(status)
	if status >= http.StatusBadRequest {
		return
	}
	for _, name := range []string{"Content-Type", "Content-Disposition"} {
		w.to.Header().Set(name, w.header.Get(name))
	}
	w.to.WriteHeader(status)
}

func (w *passage) Write(text []byte) (int, error) {
	if w.status >= http.StatusBadRequest {
		return w.recorder.Write(text)
	}
	return w.to.Write(text)
}

// Unwrap lets the API set deadlines of the browser's connection.
func (w *passage) Unwrap() http.ResponseWriter { return w.to }
