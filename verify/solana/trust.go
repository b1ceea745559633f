package solana

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

// Trust is how many operators must say the same, each through an endpoint of its own. 0 and 1 believe a single endpoint,
// whatever it invents. Silence, an error and "not found" are no agreement.
type Trust int

// ParseTrust reads "single" or "quorum:K"; K is how many operators must agree, at least 2.
func ParseTrust(text string) (Trust, error) {
	if strings.HasPrefix(text, "proof") {
		return 0, fmt.Errorf("%q does not exist on Solana, where no block header binds what its transactions did: quorum:K does", text)
	}
	k, err := jsonrpc.ParseQuorum(text)
	return Trust(k), err
}

// String is the form that ParseTrust reads.
func (t Trust) String() string {
	if t > 1 {
		return "quorum:" + strconv.Itoa(int(t))
	}
	return "single"
}

func (t Trust) operators() int { return max(int(t), 1) }

func (t Trust) validate(operators int) error {
	switch {
	case t < 0:
		return errors.New("trust: a number of operators is not negative")
	case int(t) > operators:
		return fmt.Errorf("trust %s: the endpoints are of %d operator(s) only", t, operators)
	}
	return nil
}

// Tier is a weaker rule for small sums of one token. Of several that reach an amount the lowest applies.
type Tier struct {
	Token    settlement.Address // the empty address is the native coin
	UpTo     settlement.Amount  // inclusive, in base units
	Finality Finality
	Trust    Trust
}

// rule is what must hold before a payment counts.
type rule struct {
	Finality Finality
	Trust    Trust
}

func (r rule) words() settlement.Rule {
	return settlement.Rule{Finality: r.Finality, Trust: r.Trust.String()}
}

// Rule is what must hold before a payment of that much of the token counts: a tier's rule, or the chain's own.
func (c *Chain) Rule(token settlement.Address, amount settlement.Amount) settlement.Rule {
	return c.ruleFor(token, amount).words()
}

func (c *Chain) ruleFor(token settlement.Address, amount settlement.Amount) rule {
	for _, t := range c.tiers { // ascending
		if t.Token == token && amount.Cmp(t.UpTo) <= 0 {
			return rule{t.Finality, t.Trust}
		}
	}
	return c.rule
}

func validFinality(f Finality) error {
	if f != Finalized && f != Confirmed {
		return fmt.Errorf(`finality %q is unknown: "finalized" or "confirmed"`, f)
	}
	return nil
}

// setTiers takes the tiers over and returns what is wrong with them and with the chain's own trust.
func (c *Chain) setTiers(cfg Config) (faults []error) {
	operators := make(map[string]bool)
	for _, e := range cfg.Endpoints {
		operators[e.operator()] = true
	}
	if err := cfg.Trust.validate(len(operators)); err != nil {
		faults = append(faults, err)
	}
	for i, t := range cfg.Tiers {
		fault := func(err error) { faults = append(faults, fmt.Errorf("tier %d: %w", i, err)) }
		if _, listed := c.tokens[t.Token]; !listed {
			fault(errors.New("its token is not listed"))
		}
		if t.UpTo.IsZero() {
			fault(errors.New("it ends at 0"))
		}
		if err := validFinality(t.Finality); err != nil {
			fault(err)
		}
		if err := t.Trust.validate(len(operators)); err != nil {
			fault(err)
		}
	}
	c.tiers = slices.SortedStableFunc(slices.Values(cfg.Tiers), func(a, b Tier) int { return a.UpTo.Cmp(b.UpTo) })
	return faults
}

// seen is one look with what is compared between operators.
type seen struct {
	Look
	vote jsonrpc.Vote
}

// lookSingle believes the first endpoint that answers coherently.
func (c *Chain) lookSingle(ctx context.Context, claim settlement.Claim, rule rule) (Look, error) {
	var absent []Look
	looks, err := gather(ctx, c, rule, func(ctx context.Context, s *session) (seen, error) {
		look, err := s.look(ctx, claim)
		if err != nil || look.Verdict.Evidence != nil {
			return look, err
		}
		// One endpoint's null is not "it is not there"; two say so, or the only one there is.
		if absent = append(absent, look.Look); len(absent) < 2 {
			return look, errAskAnother
		}
		return seen{Look: absence(absent)}, nil
	})
	switch {
	case err == nil:
		return looks[0].Look, nil
	case errors.Is(err, errAskAnother):
		return absence(absent), nil
	}
	return Look{}, err
}

// absence is what looks that found no transaction amount to: waiting somewhere is more than unknown.
func absence(looks []Look) Look {
	for _, look := range looks {
		if look.Verdict.Code == settlement.TxUnconfirmed {
			return look
		}
	}
	return looks[0]
}

// lookQuorum has the procedure done at as many operators as the rule demands and compares what each saw.
func (c *Chain) lookQuorum(ctx context.Context, claim settlement.Claim, rule rule) (Look, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	need := rule.Trust.operators()
	var mu sync.Mutex // guards what follows
	var absent []Look
	var silent []jsonrpc.Vote
	look := under(c, rule, func(ctx context.Context, s *session) (seen, error) {
		look, err := s.look(ctx, claim)
		if err == nil && look.Verdict.Evidence == nil {
			mu.Lock()
			defer mu.Unlock()
			absent = append(absent, look.Look)
			silent = append(silent, jsonrpc.Vote{Endpoint: s.Endpoint, Facts: "not found", JSON: json.RawMessage("null")})
			return seen{}, errAskAnother
		}
		return look, err
	})
	answers, err := jsonrpc.Gather(ctx, c.rpc, c.rpc.Historic(), need, look)
	undecided := func(s seen) bool { return s.Verdict.Outcome() == settlement.Pending }
	if n := c.rpc.Operators(); err == nil && n > need && slices.ContainsFunc(answers, undecided) {
		// One that is behind must not hold up what enough others call final.
		if all, _ := jsonrpc.Gather(ctx, c.rpc, c.rpc.Historic(), n, look); len(all) >= need { // who fails now has been asked before
			answers = all
		}
	}
	mu.Lock()
	defer mu.Unlock()
	about := "transaction " + FormatTxID(claim.TxID)
	votes := make([]jsonrpc.Vote, len(answers))
	for i, a := range answers {
		votes[i] = a.vote
	}
	if err == nil {
		decided := slices.DeleteFunc(slices.Clone(answers), undecided)
		if len(decided) >= need {
			answers = decided
		}
		if err := c.agreed(about, answers); err != nil {
			return Look{}, err
		}
		return merge(answers), nil
	}
	if err := c.agreed(about, answers); err != nil {
		return Look{}, err
	}
	switch {
	case len(answers) == 0 && (errors.Is(err, errAskAnother) || len(absent) >= 2):
		return absence(absent), nil
	case !errors.Is(err, errAskAnother):
		look := &settlement.LookError{Code: settlement.LookCode(err), Err: fmt.Errorf(
			"%d of the %d operators that must agree have the transaction: %w", len(answers), need, err)}
		if cause, ok := errors.AsType[*settlement.LookError](err); ok {
			look.RetryAfter = cause.RetryAfter
		}
		return Look{}, look
	}
	for i, a := range answers {
		if !undecided(a) {
			return Look{}, c.rpc.Disagree(about, votes[i], silent[0])
		}
	}
	return absence(absent), nil // the others may come to it yet
}

// agreed returns an error when two looks contradict each other. One that is not final yet may be of another fork.
func (c *Chain) agreed(about string, answers []seen) error {
	votes := make([]jsonrpc.Vote, 0, len(answers))
	pending := slices.ContainsFunc(answers, func(s seen) bool { return s.Verdict.Outcome() == settlement.Pending })
	for _, a := range answers {
		if !pending || a.Verdict.Outcome() != settlement.Pending {
			votes = append(votes, a.vote)
		}
	}
	return c.rpc.Agreed(about, votes)
}

// merge is the look that several looks at the same transaction amount to: final only once all say so.
func merge(looks []seen) Look {
	out := 0
	for i, look := range looks {
		if look.Verdict.Code == settlement.TxUnconfirmed {
			out = i
		}
	}
	merged := looks[out].Look
	evidence := *merged.Verdict.Evidence
	evidence.Endpoints, evidence.Digests = nil, nil
	for _, look := range looks {
		e := look.Verdict.Evidence
		evidence.Endpoints = append(evidence.Endpoints, e.Endpoints...)
		evidence.Digests = append(evidence.Digests, e.Digests...)
		evidence.Head = min(evidence.Head, e.Head)
	}
	merged.Verdict.Evidence = &evidence
	return merged
}

// facts are all that a verdict can depend on: what is signed is named by the signature, the rest is the node's word.
func (l *ledger) facts() string {
	var f jsonrpc.Facts
	failed := uint64(0)
	if l.failed {
		failed = 1
	}
	f.Bytes(string(l.signatures[0][:]))
	f.Number(l.slot, l.blockTime, failed, l.fee)
	for _, k := range l.keys {
		f.Bytes(string(k[:]))
	}
	for i := range l.keys {
		for _, b := range []*tokenBalance{l.tokenBefore[i], l.tokenAfter[i]} {
			if b == nil {
				f.Bytes("")
				continue
			}
			f.Bytes(string(b.mint[:]), string(b.owner[:]), string(b.program[:]))
			f.Number(b.amount, uint64(b.decimals))
		}
	}
	for _, a := range l.acts {
		f.Bytes(a.place.String(), string(a.program[:]), string(a.mint[:]), string(a.more), string(a.memo))
		f.Number(uint64(a.kind), uint64(a.source), uint64(a.destination), uint64(a.authority), a.amount, a.fee)
	}
	return f.Sum()
}
