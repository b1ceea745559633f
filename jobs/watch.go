package jobs

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

const (
	// keepBlocks is how many final blocks are remembered, so that a reorganisation beyond finality is noticed.
	keepBlocks = 256
	// maxFinal is how many transfers become final in one commit.
	maxFinal = 500
)

// watch follows one chain: each block is looked at once for all payments, and what it means is committed together with
// the cursor. It costs the same number of calls whatever the number of payments.
type watch struct {
	r      *Runner
	chain  Chain
	index  chainIndex
	epoch  int64
	cursor store.Cursor
	// refundsSeen is the final block at which refunds that have left the chain were last looked at, comparedAt the one at which blocks of
	// transactions of ours were last compared.
	refundsSeen, comparedAt uint64
}

// watchChain follows the chain until ctx ends or another process takes the chain over.
func (r *Runner) watchChain(ctx context.Context, chain Chain, index *watchIndex) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &watch{r: r, chain: chain, index: chainIndex{index, chain.ID}}
	start, poll, wake := w.start, w.step, w.step
	var hints <-chan struct{}
	if chain.Accounts != nil {
		accounts := &accountWatch{watch: w, hinted: make(map[settlement.Address]bool)}
		start, poll, wake, hints = accounts.start, accounts.step, accounts.wake, accounts.hints(ctx)
	} else {
		hints = chain.Watcher.Hints(ctx)
	}
	timer := time.NewTimer(chain.PollInterval)
	defer timer.Stop()
	started, step := false, poll
	for {
		err := func() error {
			if !started {
				if err := start(ctx); err != nil {
					return err
				}
				started = true
			}
			return step(ctx)
		}()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, store.ErrFenced):
			return err
		case err != nil:
			r.cfg.Logger.WarnContext(ctx, "chain not read", "chain", string(chain.ID), "block", w.cursor.Number,
				"reason", string(settlement.LookCode(err)), "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C: // hints do not put it off
			step = poll
			timer.Reset(chain.PollInterval)
		case <-hints:
			step = wake
		}
	}
}

// start takes the chain over and reads where its scanning stands; a chain that was never scanned starts at its last final
// block, so that no reorganisation goes back beyond what is remembered.
func (w *watch) start(ctx context.Context) error {
	pool, id := w.r.cfg.Pool, w.chain.ID
	heads, err := w.chain.Watcher.Heads(ctx)
	if err != nil {
		return fmt.Errorf("read head: %w", err)
	}
	_, err = store.ChainCursor(ctx, pool, id)
	if errors.Is(err, store.ErrNotFound) {
		first := min(heads.Final, heads.Latest)
		scan, err := w.chain.Watcher.ScanFor(ctx, first, w.index)
		if err != nil {
			return fmt.Errorf("read block %d: %w", first, err)
		}
		now := w.r.now()
		if err := w.r.begin(ctx, "first block", func(tx pgx.Tx) error {
			if err := store.StartChain(ctx, tx, id, scan.Block, now); err != nil {
				return err
			}
			return store.SaveBlock(ctx, tx, id, scan.Block)
		}); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	if w.epoch, err = store.TakeChain(ctx, pool, id); err != nil {
		return err
	}
	// What was seen under a rule that the configuration has lost waits for the chain's own.
	if err := store.KeepRules(ctx, pool, id, slices.Collect(maps.Keys(heads.Rules)), heads.Own); err != nil {
		return err
	}
	w.cursor, err = store.ChainCursor(ctx, pool, id)
	return err
}

// step brings the cursor to the head.
func (w *watch) step(ctx context.Context) error {
	heads, err := w.chain.Watcher.Heads(ctx)
	if err != nil {
		return fmt.Errorf("read head: %w", err)
	}
	w.r.headRead(w.chain.ID)
	// Payments that were opened after their first block was scanned: look at those blocks once more, once for all of them.
	if err := w.index.refresh(ctx, w.r.cfg.Pool); err != nil {
		return err
	}
	from, ok, snapshot := w.index.missed(w.chain.ID)
	if ok {
		if reached, err := w.lookAgain(ctx, heads, from); err != nil {
			w.index.missAgain(w.chain.ID, reached)
			return err
		}
	}
	w.cursor.WatchXID = snapshot
	for w.cursor.Number < heads.Latest {
		if err := w.next(ctx); err != nil {
			return err
		}
		if err := w.catchUp(ctx, heads); err != nil {
			return err
		}
	}
	for _, head := range heads.Rules {
		if head.FinalHash == "" || head.Final > w.cursor.Number {
			continue
		}
		saved, err := store.SavedBlock(ctx, w.r.cfg.Pool, w.chain.ID, head.Final)
		if err == nil && saved.Hash != head.FinalHash {
			return w.rewind(ctx)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	if err := w.finalize(ctx, heads); err != nil {
		return err
	}
	final := min(heads.Final, w.cursor.Number)
	return errors.Join(w.refundsAgain(ctx, final), w.vaults(ctx, heads), w.compare(ctx, final))
}

// next scans one block and commits it with the cursor.
func (w *watch) next(ctx context.Context) error {
	number := w.cursor.Number + 1
	scan, err := w.chain.Watcher.ScanFor(ctx, number, w.index)
	if err != nil {
		return fmt.Errorf("read block %d: %w", number, err)
	}
	if scan.Parent != w.cursor.Hash {
		return w.rewind(ctx)
	}
	if err := w.index.refresh(ctx, w.r.cfg.Pool); err != nil {
		return err
	}
	return w.take(ctx, scan)
}

// take commits what the block means together with the cursor, which moves to it.
func (w *watch) take(ctx context.Context, scan settlement.Scan) error {
	events, err := w.sightings(ctx, scan)
	if err != nil {
		return err
	}
	number := scan.Block.Number
	cursor := store.Cursor{Number: number, Hash: scan.Block.Hash, Final: w.cursor.Final, WatchXID: w.cursor.WatchXID}
	var results []Result
	err = w.r.begin(ctx, commitName("block", events), func(tx pgx.Tx) (err error) {
		if len(events) > 0 {
			if results, err = w.r.advance(ctx, tx, events); err != nil {
				return err
			}
		}
		if err := store.SaveBlock(ctx, tx, w.chain.ID, scan.Block); err != nil {
			return err
		}
		return store.MoveCursor(ctx, tx, w.chain.ID, w.epoch, cursor, w.r.now())
	})
	if err != nil {
		return fmt.Errorf("commit block %d: %w", number, err)
	}
	w.cursor = cursor
	w.r.headRead(w.chain.ID) // one that catches up for long is not one that stands still
	w.r.logResults(ctx, results)
	return nil
}

// sightings are the events for the block's transfers that concern our payments, with the verdict that each will have once
// it is final.
func (w *watch) sightings(ctx context.Context, scan settlement.Scan) ([]settlement.Event, error) {
	var seen []settlement.Sighting
	var txs []settlement.ScannedTx
	for _, tx := range scan.Transactions {
		for _, t := range tx.Transfers {
			if w.index.Waits(t.Token, []byte(t.Payee)) {
				seen = append(seen, settlement.Sighting{TxID: tx.TxID, Transfer: t, Block: scan.Block})
				txs = append(txs, tx)
			}
		}
	}
	if len(seen) == 0 {
		return nil, nil
	}
	chains := slices.Repeat([]settlement.ChainID{w.chain.ID}, len(seen))
	open, err := store.OpenForTransfers(ctx, w.r.cfg.Pool, chains, seen)
	if err != nil {
		return nil, err
	}
	used, err := w.consumed(ctx, seen)
	if err != nil {
		return nil, err
	}
	var events []settlement.Event
	for i, s := range seen {
		owner, taken := used[store.TransferKey{Chain: w.chain.ID, TxID: s.TxID, Position: s.Transfer.Position}]
		of := byID(open[i])
		for _, a := range settlement.Attribute(s.Transfer, open[i]) {
			if taken && owner != a.Payment {
				continue // looked at again after it settled its order
			}
			s := s
			s.Verdict = w.verdictOf(a, of[a.Payment], s, txs[i])
			s.Verdict.Evidence = w.evidence(scan, txs[i], w.chain.Watcher.Rule(s.Transfer.Token, of[a.Payment].Terms.Amount))
			events = append(events, sightingEvent(settlement.EventTransferSeen, a.Payment, s))
		}
	}
	return events, nil
}

func byID(open []settlement.OpenPayment) map[settlement.PaymentID]settlement.OpenPayment {
	of := make(map[settlement.PaymentID]settlement.OpenPayment, len(open))
	for _, p := range open {
		of[p.ID] = p
	}
	return of
}

// consumed tells which of the transfers have settled a payment already, and which one.
func (w *watch) consumed(ctx context.Context, seen []settlement.Sighting) (map[store.TransferKey]settlement.PaymentID, error) {
	transfers := make([]store.SeenTransfer, len(seen))
	chains := make([]string, len(seen))
	for i, s := range seen {
		transfers[i], chains[i] = store.SeenTransfer{Chain: w.chain.ID, Sighting: s}, string(w.chain.ID)
	}
	rows, err := store.Consumed(ctx, w.r.cfg.Pool, chains, transfers)
	if err != nil {
		return nil, err
	}
	used := make(map[store.TransferKey]settlement.PaymentID, len(rows))
	for _, c := range rows {
		used[c.Key] = c.Payment
	}
	return used, nil
}

// verdictOf judges one transfer for the payment that it is attributed to.
func (w *watch) verdictOf(a settlement.Attribution, p settlement.OpenPayment, s settlement.Sighting, tx settlement.ScannedTx) settlement.Verdict {
	if a.Code != "" {
		return settlement.Verdict{Code: a.Code, Transfer: &s.Transfer}
	}
	claim := p.Claim(s.TxID, s.Transfer)
	claim.Part = s.Transfer.Position
	for _, token := range w.chain.Tokens {
		if token.Address == claim.Want.Token {
			claim.Policy = token.Policy
		}
	}
	v := settlement.Judge(claim, s.Block, tx.Transfers)
	if v.Transfer == nil || v.Transfer.Position != s.Transfer.Position {
		// The funnel chose another transfer of the transaction: this one is a further payment or a part of none.
		return settlement.Verdict{Code: settlement.TransferAmbiguous, Transfer: &s.Transfer}
	}
	return v
}

// evidence names the rule that the payment waits for, and whose word was enough for what was seen: that of the whole
// chain, which no tier demands more than.
func (w *watch) evidence(scan settlement.Scan, tx settlement.ScannedTx, rule settlement.Rule) *settlement.Evidence {
	format := w.chain.FormatTxID
	e := &settlement.Evidence{
		Chain: w.chain.ID, TxID: format(tx.TxID), Block: scan.Block.Number, BlockHash: scan.Block.Hash.String(),
		BlockTime: scan.Block.Time, Finality: rule.Finality, Head: w.cursor.Final, Trust: scan.Trust, Endpoints: scan.Endpoints,
		Digests: scan.Digests, LookedAt: w.r.now(),
	}
	if tx.Sender != "" {
		e.TxSender = w.chain.FormatAddress(tx.Sender)
	}
	return e
}

// commitName tells commits that concern payments from those that only move the cursor.
func commitName(name string, events []settlement.Event) string {
	if len(events) == 0 {
		return "empty " + name
	}
	return name
}

// headRead notes that the chain's head was read.
func (r *Runner) headRead(id settlement.ChainID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heads[id] = r.now()
}

// headForgotten notes that this process no longer watches the chain.
func (r *Runner) headForgotten(id settlement.ChainID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.heads, id)
}

func parseHash(text string) (settlement.BlockHash, error) {
	raw, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	if err != nil {
		return "", fmt.Errorf("block hash %q: %w", text, err)
	}
	return settlement.BlockHash(raw), nil
}
