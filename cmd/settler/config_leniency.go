package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/settler-pay/settler/settlement"
)

// What is done with money that is not one exact payment in time by one of the payers.
const (
	policyReview = "review" // a person decides
	policyAccept = "accept" // it pays, and is flagged
	policyWait   = "wait"   // several small ones add up
)

// maxPoints is the whole of a price in basis points.
const maxPoints = 10_000

// DifferenceConfig says what is done with less or more than the price.
type DifferenceConfig struct {
	Policy      string `yaml:"policy" env:"POLICY"`             // review or accept; for less also wait. Defaults to review
	BasisPoints int    `yaml:"basis_points" env:"BASIS_POINTS"` // the widest difference, as a share of the price: 100 is a percent. Defaults to no such limit
	Units       string `yaml:"units" env:"UNITS"`               // the widest difference in the token's base units. Defaults to no such limit
}

// LateConfig says what is done with a payment after the grace.
type LateConfig struct {
	Policy string        `yaml:"policy" env:"POLICY"` // review or accept. Defaults to review
	Within time.Duration `yaml:"within" env:"WITHIN"` // how long after the grace. Required with accept
}

func (d DifferenceConfig) limited() bool { return d.BasisPoints != 0 || d.Units != "" }

// tolerance is the difference that is taken; the check has found its texts right.
func (d DifferenceConfig) tolerance() (settlement.Tolerance, error) {
	t := settlement.Tolerance{BasisPoints: uint16(d.BasisPoints)}
	var err error
	if d.Units != "" {
		t.Units, err = settlement.ParseAmount(d.Units)
	}
	return t, err
}

func (f *faults) oneOf(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		f.add("%s %q is not %s", key, value, strings.Join(allowed, " or "))
	}
}

func (d DifferenceConfig) check(f *faults, key string, policies ...string) {
	f.oneOf(key+".policy", d.Policy, policies...)
	if d.BasisPoints < 0 || d.BasisPoints > maxPoints {
		f.add("%s.basis_points is %d, not 0 to %d", key, d.BasisPoints, maxPoints)
	}
	if units, err := settlement.ParseAmount(d.Units); d.Units != "" && (err != nil || units.IsZero()) {
		f.add("%s.units %q is not a number of base units above 0", key, d.Units)
	}
	if d.Policy == policyReview && d.limited() {
		f.add("%s.policy is review, which takes no difference: basis_points and units are for the others", key)
	}
}

func (m MarketplaceConfig) checkLeniency(f *faults, key string) {
	m.Under.check(f, key+".under", policyReview, policyAccept, policyWait)
	if m.Under.Policy == policyAccept && !m.Under.limited() {
		f.add("%s.under.policy is accept: basis_points or units must say how much less is taken", key)
	}
	m.Over.check(f, key+".over", policyReview, policyAccept)
	f.oneOf(key+".late.policy", m.Late.Policy, policyReview, policyAccept)
	switch {
	case m.Late.Within < 0:
		f.add("%s.late.within is negative", key)
	case m.Late.Policy == policyAccept && m.Late.Within < time.Second:
		f.add("%s.late.within is %s: with policy accept at least 1s is needed", key, m.Late.Within)
	case m.Late.Policy == policyReview && m.Late.Within > 0:
		f.add("%s.late.policy is review, which takes nothing late: within is for accept", key)
	}
	f.oneOf(key+".other_payer", m.OtherPayer, policyReview, policyAccept)
}

// leniency is what the marketplace takes, in the domain's terms.
func (m MarketplaceConfig) leniency() (settlement.Leniency, error) {
	l := settlement.Leniency{Parts: m.Under.Policy == policyWait, Late: m.Late.Within, AnyPayer: m.OtherPayer == policyAccept}
	var err error
	if l.Under, err = m.Under.tolerance(); err != nil {
		return l, fmt.Errorf("under: %w", err)
	}
	if l.Over, err = m.Over.tolerance(); err != nil {
		return l, fmt.Errorf("over: %w", err)
	}
	l.Over.Any = m.Over.Policy == policyAccept && !m.Over.limited()
	return l, nil
}
