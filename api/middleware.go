package api

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

type requestIDContext struct{}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDContext{}).(string)
	return id
}

var requestIDText = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// identify names the request. A caller's own name is kept when it is harmless in a log, so that one name can follow a
// request through several services.
func identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		if id == "" || len(id) > 64 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
			var random [10]byte
			_, _ = rand.Read(random[:]) // documented never to fail
			id = requestIDText.EncodeToString(random[:])
		}
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDContext{}, id)))
	})
}

// logRequests writes one line per request. It names the route's pattern, never the path: paths hold pay tokens, and
// queries and bodies hold what others entrust to us.
func (s *server) logRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		defer func() {
			route := chi.RouteContext(r.Context()).RoutePattern()
			if route == "" {
				route = "none"
			}
			status := ww.Status()
			if status == 0 {
				status = http.StatusOK
			}
			level := slog.LevelInfo
			if strings.HasSuffix(route, "z") { // /healthz and /readyz are asked every few seconds
				level = slog.LevelDebug
			}
			s.cfg.Logger.LogAttrs(r.Context(), level, "request",
				slog.String("method", r.Method), slog.String("route", route), slog.Int("status", status),
				slog.Duration("duration", time.Since(started)), slog.String("request_id", requestID(r.Context())))
		}()
		next.ServeHTTP(ww, r)
	})
}

// survive answers 500 when a handler panics. What it panicked with goes to the log alone.
func (s *server) survive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			fault := recover()
			if fault == nil {
				return
			}
			if fault == http.ErrAbortHandler { //nolint:errorlint // panicked with to cut a connection; net/http compares it like this
				panic(fault)
			}
			s.cfg.Logger.ErrorContext(r.Context(), "request panicked", "request_id", requestID(r.Context()),
				"err", fault, "stack", string(debug.Stack()))
			if ww, ok := w.(middleware.WrapResponseWriter); ok && ww.Status() != 0 {
				panic(http.ErrAbortHandler) // half an answer is out: cut it off rather than let it look whole
			}
			problem(Internal, "").write(w, r)
		}()
		next.ServeHTTP(w, r)
	})
}

// harden sets headers that make browsers do less. Answers hold payments, so nobody may cache them.
func harden(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer") // addresses hold pay tokens
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

// unknownRoute and unknownMethod answer what no endpoint takes.
func unknownRoute(w http.ResponseWriter, r *http.Request) {
	problem(RouteUnknown, "The endpoints are listed at /docs/.").write(w, r)
}

func unknownMethod(routes chi.Routes) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			if routes.Match(chi.NewRouteContext(), method, r.URL.Path) {
				allowed = append(allowed, method)
			}
		}
		problem(MethodNotAllowed, "").with("Allow", strings.Join(allowed, ", ")).write(w, r)
	}
}
