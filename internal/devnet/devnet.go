// Package devnet stands up everything embedded that `settler dev` and the tests need: a PostgreSQL server and an EVM chain
// with a test token. Nothing of it is for production. It does not act as the orchestrator: orchestrationtest does.
//
// Read next: postgres.go and chain.go.
package devnet

import (
	"fmt"
	"os"
	"path/filepath"
)

// DefaultDir is where everything embedded keeps its files, so that a restart finds them again: SETTLER_DEV_DIR; else for
// root /var/cache/settler, because PostgreSQL then runs as an unprivileged user, who cannot look into root's home; else
// "settler" in the user's cache directory.
func DefaultDir() (string, error) {
	if dir := os.Getenv("SETTLER_DEV_DIR"); dir != "" {
		return filepath.Abs(dir)
	}
	if os.Geteuid() == 0 {
		return "/var/cache/settler", nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a directory for files (set SETTLER_DEV_DIR to name one): %w", err)
	}
	return filepath.Join(cache, "settler"), nil
}
