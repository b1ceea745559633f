package evm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/internal/jsonrpc"
)

// Trust says whose word is enough. The zero value believes a single endpoint, whatever it invents.
type Trust struct {
	// Operators is how many of them must say the same, each through an endpoint of its own; 0 and 1 are a single
	// endpoint. Silence, an error and "not found" are no agreement.
	Operators int
	// Proof asks the operators only for the block's header: all receipts of the block, from whichever endpoint, must then
	// hash to the receipts root in it. Only for chains whose receipts go-ethereum can hash.
	Proof bool
}

// ParseTrust reads "single", "quorum:K" or "proof:K"; K is how many operators must agree, at least 2.
func ParseTrust(text string) (Trust, error) {
	if text == "single" {
		return Trust{}, nil
	}
	mode, count, _ := strings.Cut(text, ":")
	k, err := strconv.ParseUint(count, 10, 8)
	if err != nil || k < 2 || mode != "quorum" && mode != "proof" {
		return Trust{}, fmt.Errorf("%q is not single, quorum:K or proof:K with K operators, at least 2", text)
	}
	return Trust{Operators: int(k), Proof: mode == "proof"}, nil
}

// String is the form that ParseTrust reads.
func (t Trust) String() string {
	switch {
	case t.Proof:
		return "proof:" + strconv.Itoa(t.Operators)
	case t.Operators > 1:
		return "quorum:" + strconv.Itoa(t.Operators)
	}
	return "single"
}

func (t Trust) operators() int { return max(t.Operators, 1) }

func (t Trust) validate(operators int) error {
	switch {
	case t.Operators < 0, t.Proof && t.Operators < 2:
		return fmt.Errorf("trust %s: at least 2 operators must agree", t)
	case t.Operators > operators:
		return fmt.Errorf("trust %s: the endpoints are of %d operator(s) only", t, operators)
	}
	return nil
}

// What operators say, and that two contradict each other, is told as for other chains.
type (
	// Answer is what one operator said.
	Answer = jsonrpc.Answer
	// Disagreement is in the chain of an RPC_INCONSISTENT error when two operators contradict each other. One of them is
	// wrong, and nothing but a person can say which.
	Disagreement = jsonrpc.Disagreement
)

// vote is what one session found, in a form that can be compared.
type vote struct {
	s     *session
	facts string // SHA-256, hex
	json  json.RawMessage
}

// disagree makes the error, and an alarm that Status shows.
func (c *Chain) disagree(about string, a, b vote) error {
	d := &Disagreement{About: about}
	for i, v := range []vote{a, b} {
		d.Answers[i] = Answer{Endpoint: v.s.e.name, Operator: v.s.e.operator, Digest: v.facts, JSON: v.json}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.disagreement, c.disagreedAt = d, c.now()
	return &settlement.LookError{Code: settlement.RPCInconsistent, Err: d}
}

// agreed returns an error when two of the votes contradict each other.
func (c *Chain) agreed(about string, votes []vote) error {
	for _, v := range votes[min(1, len(votes)):] {
		if v.facts != votes[0].facts {
			return c.disagree(about, votes[0], v)
		}
	}
	return nil
}

// facts of a receipt are all that a verdict depends on.
func (r *receipt) facts() string {
	var f jsonrpc.Facts
	f.Bytes(string(r.txid), string(r.blockHash))
	f.Number(r.number)
	if r.status != nil {
		f.Number(*r.status)
	}
	for i := range r.logs {
		l := &r.logs[i]
		f.Number(l.index, uint64(l.topicSize), uint64(l.dataSize))
		f.Bytes(string(l.address[:]), string(l.data[:]))
		for _, topic := range l.topics {
			f.Bytes(string(topic[:]))
		}
	}
	return f.Sum()
}

// facts of a transaction are those of its own value.
func (t *transaction) facts() string {
	var f jsonrpc.Facts
	f.Bytes(string(t.txid), string(t.blockHash), string(t.from), string(t.to), t.value.String())
	return f.Sum()
}

// gather asks endpoints of the list until so many operators have answered: one endpoint each, need operators at once, another one in place of
// each that stays silent. look may run in several goroutines. The answers come back also beside an error, which is
// errAskAnother when nobody failed, or a *settlement.LookError.
func gather[T any](ctx context.Context, c *Chain, from []*endpoint, rule Rule, need int, look func(context.Context, *session) (T, error)) ([]T, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	one := func(ctx context.Context, endpoints []*endpoint) (value T, err error) {
		err = c.ask(ctx, rule, endpoints, func(ctx context.Context, s *session) (err error) {
			value, err = look(ctx, s)
			return err
		})
		return value, err
	}
	if need == 1 {
		return jsonrpc.First(one(ctx, from))
	}
	return jsonrpc.GatherFrom(ctx, c.byOperator(from), need, one)
}

// byOperator groups the endpoints, the operator with the healthiest endpoint first.
func (c *Chain) byOperator(from []*endpoint) [][]*endpoint {
	var groups [][]*endpoint
	for _, e := range c.ranked(from) {
		i := slices.IndexFunc(groups, func(g []*endpoint) bool { return g[0].operator == e.operator })
		if i < 0 {
			groups = append(groups, nil)
			i = len(groups) - 1
		}
		groups[i] = append(groups[i], e)
	}
	return groups
}

// lookSingle believes the first endpoint that answers coherently.
func (c *Chain) lookSingle(ctx context.Context, claim settlement.Claim, rule Rule) (Look, error) {
	var absent []Look
	looks, err := gather(ctx, c, c.historic(), rule, 1, func(ctx context.Context, s *session) (Look, error) {
		look, err := s.look(ctx, claim)
		if err != nil || look.Verdict.Evidence != nil {
			return look, err
		}
		// One endpoint's null is not "it is not there"; two say so, or the only one there is.
		if absent = append(absent, look); len(absent) < 2 {
			return look, errAskAnother
		}
		return absence(absent, 1), nil
	})
	switch {
	case err == nil:
		return looks[0], nil
	case errors.Is(err, errAskAnother):
		return absence(absent, 1), nil
	}
	return Look{}, err
}

// absence is what looks that found no block amount to: waiting somewhere is more than unknown, and a rejection needs that
// many of them.
func absence(looks []Look, need int) Look {
	best, rejected := -1, 0
	for i, look := range looks {
		switch code := look.Verdict.Code; {
		case code.Outcome() == settlement.Rejected:
			if rejected++; rejected >= need {
				return look
			}
		case best < 0 || code == settlement.TxPending:
			best = i
		}
	}
	if best < 0 { // too few reject, and nobody says anything else
		return Look{Verdict: settlement.Verdict{Code: settlement.TxNotFound}}
	}
	return looks[best]
}

// lookQuorum has the procedure done at as many operators as the rule demands and compares what each saw.
func (c *Chain) lookQuorum(ctx context.Context, claim settlement.Claim, rule Rule) (Look, error) {
	type found struct {
		Look
		vote vote
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	need := rule.Trust.Operators
	var mu sync.Mutex // guards what follows
	var absent []Look
	var silent []vote
	look := func(ctx context.Context, s *session) (found, error) {
		look, err := s.look(ctx, claim)
		if err != nil {
			return found{}, err
		}
		if look.Verdict.Evidence == nil {
			mu.Lock()
			defer mu.Unlock()
			absent = append(absent, look)
			silent = append(silent, vote{s: s, facts: "not found", json: json.RawMessage("null")})
			return found{}, errAskAnother
		}
		return found{look, vote{s: s, facts: s.facts, json: s.said}}, nil
	}
	answers, err := gather(ctx, c, c.historic(), rule, need, look)
	undecided := func(f found) bool { return f.Verdict.Outcome() == settlement.Pending }
	if n := len(c.byOperator(c.endpoints)); err == nil && n > need && slices.ContainsFunc(answers, undecided) {
		// One that is behind must not hold up what enough others call final.
		if all, _ := gather(ctx, c, c.historic(), rule, n, look); len(all) >= need { // who fails now has been asked before
			answers = all
		}
	}
	mu.Lock()
	defer mu.Unlock()
	about := "transaction " + claim.TxID.String()
	votes := make([]vote, len(answers))
	for i, a := range answers {
		votes[i] = a.vote
	}
	if err := c.agreed(about, votes); err != nil {
		return Look{}, err
	}
	switch {
	case err == nil:
		if decided := slices.DeleteFunc(slices.Clone(answers), undecided); len(decided) >= need {
			answers = decided
		}
		looks := make([]Look, len(answers))
		for i, a := range answers {
			looks[i], votes[i] = a.Look, a.vote
		}
		return c.merge(about, looks, votes)
	case len(answers) == 0 && (errors.Is(err, errAskAnother) || len(absent) >= 2):
		return absence(absent, need), nil
	case !errors.Is(err, errAskAnother):
		look := &settlement.LookError{Code: settlement.LookCode(err), Err: fmt.Errorf(
			"%d of the %d operators that must agree have the transaction in a block: %w", len(answers), need, err)}
		if cause, ok := errors.AsType[*settlement.LookError](err); ok {
			look.RetryAfter = cause.RetryAfter
		}
		return Look{}, look
	}
	for i, a := range answers {
		if a.Verdict.Outcome() != settlement.Pending {
			return Look{}, c.disagree(about, votes[i], silent[0])
		}
	}
	return absence(absent, need), nil // the others may come to its block yet
}

// merge is the look that several looks at the same receipt amount to.
func (c *Chain) merge(about string, looks []Look, votes []vote) (Look, error) {
	out := 0
	for i, look := range looks {
		switch code := look.Verdict.Code; {
		case code == looks[0].Verdict.Code:
		case code == settlement.TxUnconfirmed || looks[0].Verdict.Code == settlement.TxUnconfirmed:
			if code == settlement.TxUnconfirmed { // final only once all say so
				out = i
			}
		default: // one of them has another block in that place
			return Look{}, c.disagree(about, votes[0], votes[i])
		}
	}
	merged := looks[out]
	evidence := *merged.Verdict.Evidence
	evidence.Endpoints, evidence.Digests = nil, nil
	for i, look := range looks { // what the verdict does not depend on, and whoever looks again will want to trust
		e := look.Verdict.Evidence
		if e.TxSender != "" && evidence.TxSender != "" && e.TxSender != evidence.TxSender ||
			!e.BlockTime.IsZero() && !evidence.BlockTime.IsZero() && !e.BlockTime.Equal(evidence.BlockTime) {
			return Look{}, c.disagree(about, votes[out], votes[i])
		}
	}
	for _, look := range looks {
		e := look.Verdict.Evidence
		evidence.Endpoints = append(evidence.Endpoints, e.Endpoints...)
		evidence.Digests = append(evidence.Digests, e.Digests...)
		evidence.Head = min(evidence.Head, e.Head)
	}
	merged.Verdict.Evidence = &evidence
	return merged, nil
}
