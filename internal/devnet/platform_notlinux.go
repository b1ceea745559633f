//go:build unix && !linux

package devnet

import (
	"fmt"
	"os"
	"syscall"
)

func ownProgram() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	return path, nil
}

// signalOnDeath does nothing: only Linux tells a process of its parent's death. The child sees its standard input end.
func signalOnDeath(*syscall.SysProcAttr, syscall.Signal) {}
