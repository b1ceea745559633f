package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// HighWater remembers in a file how far each signer has come, and in which database. A database that was brought back from
// before the last broadcast is known by it: the chain need not show yet what was sent. Several processes may have the same file: a
// rehearsal has that of the service beside which it runs.
type HighWater struct {
	path string
	mu   sync.Mutex // guards the file within the process; its folder's lock guards it between processes
}

type highWaterMark struct {
	Database *store.Origin     `json:"database,omitempty"`
	Nonces   map[string]uint64 `json:"nonces"` // chain and signer → nonce after the highest one that was sent
}

// OpenHighWater looks whether the file can be read; one that is not there is made with the first mark.
func OpenHighWater(path string) (*HighWater, error) {
	h := &HighWater{path: path}
	_, err := h.read()
	return h, err
}

// read reads the mark; without a file there is nothing in it.
func (h *HighWater) read() (mark highWaterMark, err error) {
	text, err := os.ReadFile(h.path)
	if errors.Is(err, fs.ErrNotExist) {
		mark.Nonces = make(map[string]uint64)
		return mark, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &mark)
	}
	if err == nil && mark.Nonces == nil {
		err = errors.New("it has no nonces")
	}
	if err != nil {
		return mark, fmt.Errorf("read high-water mark %s: %w", h.path, err)
	}
	return mark, nil
}

// change reads the mark and writes it as change leaves it, which reports whether there is anything to write. Nobody else writes meanwhile.
func (h *HighWater) change(change func(*highWaterMark) bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	folder, err := os.Open(filepath.Dir(h.path))
	if err != nil {
		return fmt.Errorf("write high-water mark %s: %w", h.path, err)
	}
	defer folder.Close() //nolint:errcheck // nothing was written through it; the lock goes with it
	if err := lockFolder(folder); err != nil {
		return fmt.Errorf("lock the folder of high-water mark %s: %w", h.path, err)
	}
	mark, err := h.read()
	if err != nil || !change(&mark) {
		return err
	}
	if err := h.write(mark, folder); err != nil {
		return fmt.Errorf("write high-water mark %s: %w", h.path, err)
	}
	return nil
}

func laneOf(chain settlement.ChainID, signer settlement.Address) string {
	return fmt.Sprintf("%s %s", chain, signer)
}

// Raise notes, durably, that a nonce before next is about to be sent.
func (h *HighWater) Raise(chain settlement.ChainID, signer settlement.Address, next uint64) error {
	if h == nil {
		return nil
	}
	return h.change(func(mark *highWaterMark) bool {
		lane := laneOf(chain, signer)
		if mark.Nonces[lane] >= next {
			return false
		}
		mark.Nonces[lane] = next
		return true
	})
}

// older says in words why the database must be older than what was sent, empty where it need not be.
func (h *HighWater) older(origin store.Origin, s store.Signer) (string, error) {
	mark, err := h.read()
	sent := mark.Nonces[laneOf(s.Chain, s.Address)]
	switch {
	case err != nil:
		return "", err
	case mark.Database != nil && mark.Database.SystemIdentifier != origin.SystemIdentifier:
		return fmt.Sprintf("the database is another one than before: system identifier %s, not %s", origin.SystemIdentifier, mark.Database.SystemIdentifier), nil
	case mark.Database != nil && mark.Database.Timeline != origin.Timeline:
		return fmt.Sprintf("the database was brought back or has failed over: timeline %d, not %d", origin.Timeline, mark.Database.Timeline), nil
	case sent > s.NextNonce:
		return fmt.Sprintf("the database is older than what was sent: its books end before nonce %d, and nonce %d was sent", s.NextNonce, sent-1), nil
	}
	return "", nil
}

// take takes the database as it is: who halted for it does so once.
func (h *HighWater) take(origin store.Origin, s store.Signer) error {
	return h.change(func(mark *highWaterMark) bool {
		lane := laneOf(s.Chain, s.Address)
		if mark.Database != nil && *mark.Database == origin && mark.Nonces[lane] <= s.NextNonce {
			return false
		}
		mark.Database, mark.Nonces[lane] = &origin, min(mark.Nonces[lane], s.NextNonce)
		return true
	})
}

// write puts the mark on the disk and exchanges the file for it in one step, so that nothing is sent before it was.
func (h *HighWater) write(mark highWaterMark, folder *os.File) error {
	text, err := json.MarshalIndent(mark, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(folder.Name(), filepath.Base(h.path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), h.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return folder.Sync()
}

// haltIfOlder halts all chains when the database is older than what was sent, or another one: until a person has resumed,
// everything is seen and nothing is moved.
func (r *Runner) haltIfOlder(ctx context.Context, chain Chain, s store.Signer) error {
	h := r.cfg.HighWater
	if h == nil {
		return nil
	}
	origin, err := store.ReadOrigin(ctx, r.cfg.Pool)
	if err != nil {
		return err
	}
	reason, err := h.older(origin, s)
	if err != nil {
		return err
	}
	if reason != "" {
		reason = fmt.Sprintf("signer %s of %s: %s", chain.FormatAddress(s.Address), chain.ID, reason)
		if err := store.SetHalt(ctx, r.cfg.Pool, store.Everywhere, reason, r.now()); err != nil {
			return err
		}
		r.cfg.Logger.ErrorContext(ctx, "halted", "chain", string(chain.ID), "reason", reason)
	}
	return h.take(origin, s)
}
