//go:build crashtest

package main

import (
	"net/http"

	"github.com/settler-pay/settler/internal/crash"
)

// outsideClient lets a crash test end the process before and after each call.
func outsideClient() *http.Client {
	return &http.Client{Transport: outsideTransport(http.DefaultTransport)}
}

// outsideTransport lets a crash test end the process before and after each call that next makes.
func outsideTransport(next http.RoundTripper) http.RoundTripper { return crash.Transport{Next: next} }
