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

const scriptRule settlement.Finality = "finalized"

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
	return jobs.Chain{
		ID: scriptID, Tokens: []settlement.Token{coin}, PollInterval: 50 * time.Millisecond, Verifier: s, Watcher: s,
	}
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
		Block:     settlement.Block{Number: number, Hash: settlement.BlockHash(hashOf("block", number)), Time: time.Now().UTC().Truncate(time.Second)},
		Parent:    settlement.BlockHash(hashOf("block", number-1)),
		Endpoints: []string{"script"},
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

// Heads implements jobs.Watcher.
func (s *script) Heads(context.Context) (settlement.Heads, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	head := settlement.Head{Latest: uint64(len(s.blocks) - 1), Final: s.final}
	return settlement.Heads{Head: head, Own: scriptRule, Rules: map[settlement.Finality]settlement.Head{scriptRule: head}}, nil
}

// Rule implements jobs.Watcher.
func (s *script) Rule(settlement.Address, settlement.Amount) settlement.Rule {
	return settlement.Rule{Finality: scriptRule}
}

// ScanFor implements jobs.Watcher.
func (s *script) ScanFor(_ context.Context, number uint64, _ settlement.Watched) (settlement.Scan, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number >= uint64(len(s.blocks)) {
		return settlement.Scan{}, fmt.Errorf("no block %d", number)
	}
	return s.blocks[number], nil
}

// CatchUp implements jobs.Watcher.
func (s *script) CatchUp(_ context.Context, from, to uint64, _ settlement.Watched, deliver func(settlement.Span) error) error {
	s.mu.Lock()
	to = min(to, s.final)
	span := settlement.Span{From: from, To: to, Last: s.blocks[to].Block, Blocks: s.blocks[from : to+1 : to+1]}
	s.mu.Unlock()
	return deliver(span)
}

// Hints implements jobs.Watcher. The script announces nothing.
func (s *script) Hints(context.Context) <-chan struct{} { return nil }

// Verify implements jobs.Verifier. Nobody names a transaction here.
func (s *script) Verify(context.Context, settlement.Claim) (settlement.Verdict, error) {
	return settlement.Verdict{}, errors.New("the script has no single transactions")
}
