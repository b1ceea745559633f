//go:build !crashtest

package main

import "net/http"

// outsideClient is the HTTP client for calls to the outside; nil lets each package make its own. See crash_on.go.
func outsideClient() *http.Client { return nil }

// outsideTransport is next; see crash_on.go.
func outsideTransport(next http.RoundTripper) http.RoundTripper { return next }
