//go:build !crashtest

package jobs

// crashPoint is where a crash test may kill the process; see crash_on.go.
func crashPoint(string) {}
