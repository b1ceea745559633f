//go:build crashtest

package main

import (
	"net/http"

	"github.com/settler-pay/settler/internal/crash"
)

// outsideClient lets a crash test end the process before and after each call.
func outsideClient() *http.Client {
	return &http.Client{Transport: crash.Transport{Next: http.DefaultTransport}}
}
