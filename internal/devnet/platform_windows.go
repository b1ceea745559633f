package devnet

import (
	"errors"
	"os"
	"syscall"
)

// errUnix is the answer to StartPostgres, whose first step asks for the account.
var errUnix = errors.New("an embedded PostgreSQL server runs on Linux and macOS only: give the URL of a server instead")

type serverUser struct{}

func serverAccount(string) (*serverUser, error) { return nil, errUnix }

func ownProgram() (string, error) { return os.Executable() }

func childAttributes(*serverUser) *syscall.SysProcAttr { return nil }

func serverAttributes() *syscall.SysProcAttr { return nil }

func tryLock(*os.File) (bool, error) { return false, errUnix }

func processLives(int) bool { return false }

func signalOnDeath(*syscall.SysProcAttr, syscall.Signal) {}
