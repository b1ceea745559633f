//go:build unix && !solaris && !aix

package jobs

import (
	"os"
	"syscall"
)

// lockFolder keeps other processes that do the same waiting until the folder is closed.
func lockFolder(folder *os.File) error {
	return syscall.Flock(int(folder.Fd()), syscall.LOCK_EX) //nolint:gosec // a descriptor is a small number
}
