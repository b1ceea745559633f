package evm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/settler-pay/settler/settlement"
)

// Finality is the rule that says which blocks are final: exactly one of Depth and Tag.
type Finality struct {
	// Depth makes block N final when the latest block is N+Depth or higher.
	Depth uint64
	// Tag is the block tag whose block, and all below it, are final: "finalized", "safe", or "latest" on a chain that
	// accepts a block for good at once (Avalanche).
	Tag string
}

const (
	tagFinalized = "finalized"
	tagSafe      = "safe"
	tagLatest    = "latest"
)

const (
	// aliasLooks and aliasPause are how often a tag is compared with the latest block again before it counts as an alias.
	aliasLooks = 2
	aliasPause = time.Second
)

// String is the rule in words: "finalized", "depth 12".
func (f Finality) String() string {
	if f.Tag != "" {
		return f.Tag
	}
	return "depth " + strconv.FormatUint(f.Depth, 10)
}

// Words is the rule as the domain names it.
func (f Finality) Words() settlement.Finality { return settlement.Finality(f.String()) }

// ParseFinality reads "finalized", "safe", "latest" or "depth:N".
func ParseFinality(text string) (Finality, error) {
	f := Finality{Tag: text}
	if depth, ok := strings.CutPrefix(text, "depth:"); ok {
		n, err := strconv.ParseUint(depth, 10, 32)
		if err != nil {
			return Finality{}, fmt.Errorf("%q: the depth is a number of blocks, at least 1", text)
		}
		f = Finality{Depth: n}
	}
	if f.validate() != nil {
		return Finality{}, fmt.Errorf("%q is not finalized, safe, latest or depth:N", text)
	}
	return f, nil
}

func (f Finality) validate() error {
	switch {
	case f.Tag != "" && f.Depth != 0:
		return errors.New("finality is either a tag or a depth, not both")
	case f.Tag == "" && f.Depth == 0:
		return errors.New(`finality is required: a depth of at least 1, or the tag "finalized" or "safe"`)
	case f.Tag != "" && !slices.Contains([]string{tagFinalized, tagSafe, tagLatest}, f.Tag):
		return fmt.Errorf(`finality tag %q is unknown: "finalized", "safe" or "latest"`, f.Tag)
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

// Rule is what must hold before a payment counts.
type Rule struct {
	Finality Finality
	Trust    Trust
}

// Rule is the one for that much of the token, a tier's or the chain's own, in words.
func (c *Chain) Rule(token settlement.Address, amount settlement.Amount) settlement.Rule {
	rule := c.ruleFor(token, amount)
	return settlement.Rule{Finality: rule.Finality.Words(), Trust: rule.Trust.String()}
}

func (c *Chain) ruleFor(token settlement.Address, amount settlement.Amount) Rule {
	for _, t := range c.tiers { // ascending
		if t.Token == token && amount.Cmp(t.UpTo) <= 0 {
			return Rule{t.Finality, t.Trust}
		}
	}
	return c.rule
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
		if err := t.Finality.validate(); err != nil {
			fault(err)
		}
		if err := t.Trust.validate(len(operators)); err != nil {
			fault(err)
		}
		// Blocks are scanned by the chain's own rule: what it does not demand, no tier can.
		switch {
		case t.Trust.Proof && !cfg.Trust.Proof:
			fault(errors.New("it demands a proof, which the chain's own rule does not"))
		case t.Trust.operators() > cfg.Trust.operators():
			fault(fmt.Errorf("trust %s is more than the chain's own rule demands, %s", t.Trust, cfg.Trust))
		}
	}
	c.tiers = slices.SortedStableFunc(slices.Values(cfg.Tiers), func(a, b Tier) int { return a.UpTo.Cmp(b.UpTo) })
	return faults
}

// finality is what one endpoint calls final.
type finality struct {
	number uint64               // the highest final block
	hash   settlement.BlockHash // of that block; empty where the rule is a depth
	latest header               // of a depth only, and of the tag "latest"
	none   bool                 // the chain is younger than the depth: nothing is final
	time   time.Time            // of the block that the endpoint named: the final one, or the latest for a depth
}

func (f finality) covers(number uint64) bool { return !f.none && number <= f.number }

// final reads the highest final block under the session's rule. The tag's block must not go backwards at one endpoint:
// that is an old answer out of some cache.
//
// Source: step 4 and R-08 of the verification rules.
func (s *session) final(ctx context.Context) (finality, error) {
	rule := s.rule.Finality
	if rule.Tag == "" {
		latest, err := s.latest(ctx)
		if err != nil {
			return finality{}, err
		}
		if latest.number < rule.Depth {
			return finality{latest: latest, none: true, time: latest.time}, nil
		}
		return finality{number: latest.number - rule.Depth, latest: latest, time: latest.time}, nil
	}
	if rule.Tag == tagLatest {
		latest, err := s.latest(ctx)
		return finality{number: latest.number, hash: latest.hash, latest: latest, time: latest.time}, err
	}
	highest := s.e.finalAtLeast(rule.Tag, 0) // before the call: a look beside this one may be told of a higher one meanwhile
	tagged, err := s.block(ctx, rule.Tag)
	if err != nil {
		return finality{}, err
	}
	if tagged.number < highest {
		return finality{}, inconsistent("the %s block went back from %d to %d", rule.Tag, highest, tagged.number)
	}
	s.e.finalAtLeast(rule.Tag, tagged.number)
	return finality{number: tagged.number, hash: tagged.hash, time: tagged.time}, nil
}

// checkFinality tests at start that the tags say what they promise: each block is the canonical one in its place, finalized
// lies at or below safe and safe at or below latest, and neither is another name of latest. Final is read before latest.
//
// Source: E-13 and section 10 of the verification rules.
func (s *session) checkFinality(ctx context.Context, final finality, latest header) error {
	rule := s.rule.Finality
	if final.number > latest.number && !final.none {
		return misconfigured("the %s block %d is above the latest, %d", rule, final.number, latest.number)
	}
	if final.hash == "" || rule.Tag == tagLatest {
		return nil
	}
	byNumber, err := s.canonical(ctx, final.number)
	if err == nil && byNumber.hash != final.hash {
		err = misconfigured("the %s block is not the block with its number %d", rule, final.number)
	}
	if err == nil && rule.Tag == tagSafe {
		var finalized header
		if finalized, err = s.block(ctx, tagFinalized); err == nil && finalized.number > final.number {
			err = misconfigured("the finalized block %d is above the safe one, %d", finalized.number, final.number)
		}
	}
	if err == nil && rule.Tag == tagFinalized {
		// Not every chain has a safe block; on one that has, what is final is safe.
		if safe, none := s.block(ctx, tagSafe); none == nil && safe.number < final.number {
			err = misconfigured("the finalized block %d is above the safe one, %d", final.number, safe.number)
		}
	}
	// A chain that was quiet for long may be final up to its head for a moment; an alias is it whenever one looks.
	for range aliasLooks {
		if err != nil || final.hash != latest.hash || final.number == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return unavailable("no answer: %w", ctx.Err())
		case <-time.After(aliasPause):
		}
		if final, err = s.final(ctx); err == nil {
			latest, err = s.latest(ctx)
		}
	}
	if err == nil && final.hash == latest.hash {
		err = misconfigured(`%s is another name of the latest block here, %d, so it promises nothing: use a depth; `+
			`or the tag "latest", if the chain accepts each block for good at once`, rule, latest.number)
	}
	return err
}

// latest reads the endpoint's head and notes whether the endpoint keeps up with the others.
func (s *session) latest(ctx context.Context) (header, error) {
	head, err := s.block(ctx, tagLatest)
	if err == nil {
		s.chain.headOf(s.e, head)
	}
	return head, err
}

// Head is how far the chain has come under the chain's own rule.
func (c *Chain) Head(ctx context.Context) (settlement.Head, error) {
	heads, err := c.Heads(ctx)
	return heads.Head, err
}

// finalities are all rules in use, the chain's own first.
func (c *Chain) finalities() []Finality {
	rules := []Finality{c.rule.Finality}
	for _, t := range c.tiers {
		if !slices.Contains(rules, t.Finality) {
			rules = append(rules, t.Finality)
		}
	}
	return rules
}

// Heads reads how far the chain has come under every rule in use, with the chain's own trust.
//
// With single trust that is what one endpoint says. Otherwise a block is there, or final, when the demanded number of
// operators says so, and the hash of the highest final one must be the same at all of them.
func (c *Chain) Heads(ctx context.Context) (settlement.Heads, error) {
	rules := c.finalities()
	type said struct {
		s      *session
		latest header
		finals []finality
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	c.compareHeads(ctx)
	answers, err := gather(ctx, c, c.endpoints, c.rule, c.rule.Trust.operators(), func(ctx context.Context, s *session) (said, error) {
		out := said{s: s}
		for _, rule := range rules {
			s.rule.Finality = rule
			final, err := s.final(ctx)
			if err != nil {
				return out, err
			}
			out.finals = append(out.finals, final)
			if final.latest.hash != "" {
				out.latest = final.latest
			}
		}
		if out.latest.hash == "" {
			var err error
			if out.latest, err = s.latest(ctx); err != nil {
				return out, err
			}
		}
		for i, final := range out.finals {
			if final.number > out.latest.number && !final.none {
				return out, inconsistent("the %s block %d is above the latest, %d", rules[i], final.number, out.latest.number)
			}
		}
		return out, nil
	})
	if err != nil {
		return settlement.Heads{}, err
	}
	heads := settlement.Heads{Own: c.rule.Finality.Words(), Rules: make(map[settlement.Finality]settlement.Head, len(rules))}
	latest := answers[0].latest.number
	for _, a := range answers {
		latest = min(latest, a.latest.number)
	}
	for i, rule := range rules {
		lowest := answers[0].finals[i]
		for _, a := range answers {
			if f := a.finals[i]; f.none || !lowest.none && f.number < lowest.number {
				lowest = f
			}
		}
		for _, a := range answers {
			if lowest.hash == "" || a.finals[i].number == lowest.number && a.finals[i].hash == lowest.hash {
				continue
			}
			there, err := a.s.canonical(ctx, lowest.number)
			if err != nil {
				return settlement.Heads{}, err
			}
			if there.hash != lowest.hash {
				return settlement.Heads{}, c.disagree(fmt.Sprintf("the %s block %d", rule, lowest.number),
					vote{s: answers[0].s, facts: lowest.hash.String()}, vote{s: a.s, facts: there.hash.String()})
			}
		}
		head := settlement.Head{Latest: latest, Final: lowest.number, FinalHash: lowest.hash}
		heads.Rules[rule.Words()] = head
		if i == 0 {
			heads.Head = head
			c.finalOf(lowest)
		}
	}
	return heads, nil
}

// block reads the header that a tag names.
func (s *session) block(ctx context.Context, tag string) (header, error) {
	raw, err := s.call(ctx, "eth_getBlockByNumber", tag, false)
	if err != nil {
		return header{}, err
	}
	if isNull(raw) {
		return header{}, &settlement.LookError{
			Code: settlement.RPCMisconfigured, Err: fmt.Errorf("the endpoint names no %s block", tag),
		}
	}
	head, err := decodeObject(raw, "the "+tag+" block", decodeHeader)
	if err == nil && (head.hash == "" || isZero(head.hash)) {
		err = inconsistent("the %s block has no hash", tag)
	}
	return head, err
}

// canonical reads the header of the block with that number; the zero header when the endpoint has none.
func (s *session) canonical(ctx context.Context, number uint64) (header, error) {
	raw, err := s.call(ctx, "eth_getBlockByNumber", hexNumber(number), false)
	if err != nil || isNull(raw) {
		return header{}, err
	}
	head, err := decodeObject(raw, "the block", decodeHeader)
	if err == nil && (head.number != number || head.hash == "" || isZero(head.hash)) {
		err = inconsistent("asked for block %d, the answer is block %d with hash %q", number, head.number, head.hash)
	}
	return head, err
}

func hexNumber(n uint64) string { return "0x" + strconv.FormatUint(n, 16) }
