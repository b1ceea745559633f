package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// HighWater remembers in a file how far each signer has come, and in which database. A database that was brought back from
// before the last broadcast is known by it: the chain need not show yet what was sent.
type HighWater struct {
	path string
	mu   sync.Mutex // guards mark and the file
	mark highWaterMark
}

type highWaterMark struct {
	Database *store.Origin     `json:"database,omitempty"`
	Nonces   map[string]uint64 `json:"nonces"` // chain and signer → nonce after the highest one that was sent
}

// OpenHighWater reads the file; one that is not there is made with the first mark.
func OpenHighWater(path string) (*HighWater, error) {
	h := &HighWater{path: path}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		h.mark.Nonces = make(map[string]uint64)
		return h, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &h.mark)
	}
	if err != nil {
		return nil, fmt.Errorf("read high-water mark %s: %w", path, err)
	}
	if h.mark.Nonces == nil {
		return nil, fmt.Errorf("read high-water mark %s: it has no nonces", path)
	}
	return h, nil
}

func laneOf(chain settlement.ChainID, signer settlement.Address) string {
	return fmt.Sprintf("%s %s", chain, signer)
}

// Raise notes, durably, that a nonce before next is about to be sent.
func (h *HighWater) Raise(chain settlement.ChainID, signer settlement.Address, next uint64) error {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mark.Nonces[laneOf(chain, signer)] >= next {
		return nil
	}
	return h.save(h.mark.Database, laneOf(chain, signer), next)
}

// older says in words why the database must be older than what was sent, empty where it need not be.
func (h *HighWater) older(origin store.Origin, s store.Signer) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	sent := h.mark.Nonces[laneOf(s.Chain, s.Address)]
	switch {
	case h.mark.Database != nil && h.mark.Database.SystemIdentifier != origin.SystemIdentifier:
		return fmt.Sprintf("the database is another one than before: system identifier %s, not %s", origin.SystemIdentifier, h.mark.Database.SystemIdentifier)
	case h.mark.Database != nil && h.mark.Database.Timeline != origin.Timeline:
		return fmt.Sprintf("the database was brought back or has failed over: timeline %d, not %d", origin.Timeline, h.mark.Database.Timeline)
	case sent > s.NextNonce:
		return fmt.Sprintf("the database is older than what was sent: its books end before nonce %d, and nonce %d was sent", s.NextNonce, sent-1)
	}
	return ""
}

// take takes the database as it is: who halted for it does so once.
func (h *HighWater) take(origin store.Origin, s store.Signer) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mark.Database != nil && *h.mark.Database == origin && h.mark.Nonces[laneOf(s.Chain, s.Address)] <= s.NextNonce {
		return nil
	}
	lane := laneOf(s.Chain, s.Address)
	return h.save(&origin, lane, min(h.mark.Nonces[lane], s.NextNonce))
}

// save changes the mark once the file is on the disk, which it exchanges in one step: what could not be written is not
// remembered, so that nothing is sent before it was.
func (h *HighWater) save(database *store.Origin, lane string, nonce uint64) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write high-water mark %s: %w", h.path, err)
		}
	}()
	mark := highWaterMark{Database: database, Nonces: maps.Clone(h.mark.Nonces)}
	mark.Nonces[lane] = nonce
	text, err := json.MarshalIndent(mark, "", "  ")
	if err != nil {
		return err
	}
	folder := filepath.Dir(h.path)
	f, err := os.CreateTemp(folder, filepath.Base(h.path)+".*")
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
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return err
	}
	h.mark = mark
	return nil
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
	if reason := h.older(origin, s); reason != "" {
		reason = fmt.Sprintf("signer %s of %s: %s", chain.FormatAddress(s.Address), chain.ID, reason)
		if err := store.SetHalt(ctx, r.cfg.Pool, store.Everywhere, reason, r.now()); err != nil {
			return err
		}
		r.cfg.Logger.ErrorContext(ctx, "halted", "chain", string(chain.ID), "reason", reason)
	}
	return h.take(origin, s)
}
