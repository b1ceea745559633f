package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
)

// scriptID is the chain that a script tells; coin is what is paid there. The native coin, because its proofs are recorded
// and not looked up: what the orchestrator's look costs is not ours to measure.
const scriptID settlement.ChainID = "eip155:1337"

var coin = settlement.Token{Chain: scriptID, Symbol: "ETH", Decimals: 18}

// script is a chain that exists in memory alone, so that only settler is measured.
type script struct {
	mu     sync.Mutex // guards what follows
	blocks []settlement.Scan
	final  uint64
}

// scriptedChain is the chain's entry in a Runner's configuration.
func scriptedChain(s *script) jobs.Chain {
	if s == nil {
		s = newScript()
	}
	return jobs.Chain{ID: scriptID, Tokens: []settlement.Token{coin}, PollInterval: 50 * time.Millisecond, Verifier: s, Watcher: s}
}

// newScript has one block, which is final.
func newScript() *script {
	s := &script{}
	s.add(nil)
	return s
}

// add appends a block in which each of the payments is paid, and returns its number. It is not final yet.
func (s *script) add(payments []settlement.Payment) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	number := uint64(len(s.blocks))
	scan := settlement.Scan{
		Block:    settlement.Block{Number: number, Hash: settlement.BlockHash(hashOf("block", number)), Time: time.Now().UTC().Truncate(time.Second)},
		Parent:   settlement.BlockHash(hashOf("block", number-1)),
		Endpoint: "script",
	}
	for i, p := range payments {
		scan.Transactions = append(scan.Transactions, settlement.ScannedTx{
			TxID: settlement.TxID(hashOf("tx", number<<32|uint64(i))), Sender: p.Terms.ProvenPayer,
			Transfers: []settlement.Transfer{{
				Payer: p.Terms.ProvenPayer, Payee: p.Terms.Payee, Amount: p.Terms.Amount, Position: settlement.Native, Index: -1,
			}},
		})
	}
	s.blocks = append(s.blocks, scan)
	return number
}

// finalize makes the block and those before it final.
func (s *script) finalize(number uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.final = number
}

// Head implements jobs.Watcher.
func (s *script) Head(context.Context) (settlement.Head, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return settlement.Head{Latest: uint64(len(s.blocks) - 1), Final: s.final}, nil
}

// Scan implements jobs.Watcher.
func (s *script) Scan(_ context.Context, number uint64) (settlement.Scan, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number >= uint64(len(s.blocks)) {
		return settlement.Scan{}, fmt.Errorf("no block %d", number)
	}
	return s.blocks[number], nil
}

// Verify implements jobs.Verifier. Nobody names a transaction here.
func (s *script) Verify(context.Context, settlement.Claim) (settlement.Verdict, error) {
	return settlement.Verdict{}, errors.New("the script has no single transactions")
}
