//go:build unix

package devnet

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// nobody is whom the server runs as when we are root, unless its directory belongs to somebody else. initdb insists on a
// user that the system knows by name.
func nobody() *serverUser {
	const usual = 65534
	account := &serverUser{uid: usual, gid: usual}
	known, err := user.Lookup("nobody")
	if err != nil {
		return account
	}
	uid, uidErr := strconv.ParseInt(known.Uid, 10, 64) // -2 on macOS
	gid, gidErr := strconv.ParseInt(known.Gid, 10, 64)
	if uidErr == nil && gidErr == nil {
		account.uid, account.gid = uint32(uid), uint32(gid) //nolint:gosec // -2 is meant to become the last but one
	}
	return account
}

// serverUser is whom the server runs as; nil for ourselves.
type serverUser struct{ uid, gid uint32 }

// serverAccount returns whom the server in the directory runs as: we ourselves, but when we are root, the directory's owner.
// A directory of root is given to nobody.
func serverAccount(dir string) (*serverUser, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("look at PostgreSQL's directory: %w", err)
	}
	account := nobody()
	if owner, is := info.Sys().(*syscall.Stat_t); is && owner.Uid != 0 {
		account = &serverUser{uid: owner.Uid, gid: owner.Gid}
	} else if err := os.Chown(dir, int(account.uid), int(account.gid)); err != nil {
		return nil, fmt.Errorf("give PostgreSQL's directory to user %d, because it does not run as root: %w", account.uid, err)
	}
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err != nil {
			return nil, fmt.Errorf("look at PostgreSQL's directory: %w", err)
		}
		const othersMayEnter = 0o001
		if owner, is := info.Sys().(*syscall.Stat_t); info.Mode()&othersMayEnter == 0 && is && owner.Uid != account.uid {
			return nil, fmt.Errorf("PostgreSQL does not run as root, but as user %d, who cannot enter %s: set SETTLER_DEV_DIR to another directory",
				account.uid, parent)
		}
		if parent == filepath.Dir(parent) {
			return account, nil
		}
	}
}

// childAttributes puts the child into a session of its own, with the server's user.
func childAttributes(account *serverUser) *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setsid: true}
	if account != nil {
		attributes.Credential = &syscall.Credential{Uid: account.uid, Gid: account.gid}
	}
	signalOnDeath(attributes, syscall.SIGTERM)
	return attributes
}

// serverAttributes makes the server stop by itself when the child dies.
func serverAttributes() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{}
	signalOnDeath(attributes, syscall.SIGINT)
	return attributes
}

// tryLock takes the file's lock unless somebody has it. The lock lives until every copy of the open file is closed.
func tryLock(file *os.File) (bool, error) {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

func processLives(pid int) bool {
	return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}
