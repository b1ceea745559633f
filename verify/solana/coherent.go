package solana

import (
	"math/bits"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/settlement"
)

const (
	// maxMessage is the length of the longest message, that of version 1.
	maxMessage = 4096
	// maxAccounts is how many an index of 8 bits can name; maxV1 what version 1 allows of accounts and instructions.
	maxAccounts, maxV1 = 256, 64
)

// ledger is a coherent answer: what moved, and what each account held before and after.
type ledger struct {
	*answer
	keys []key // static ++ writable ++ readonly
	// index of an account → its balance of tokens before and after; nil: it was no token account then
	tokenBefore, tokenAfter []*tokenBalance
	acts                    []act
}

// check holds the answer against the question and against itself, so that what the endpoint could have invented is as
// little as possible: accounts, instructions and amounts are signed, lamports and classic tokens are conserved. Nobody
// signs the outcome, the balances or the addresses from lookup tables.
//
// Source: step 3 and S-08, S-47, S-48 of the verification rules.
func (a *answer) check(txid settlement.TxID) (*ledger, error) {
	m := &a.message
	switch {
	case len(a.signatures) == 0 || settlement.TxID(a.signatures[0][:]) != txid:
		return nil, inconsistent("the transaction is another one than was asked for")
	case !a.hasMeta:
		return nil, inconsistent("the transaction comes without a complete meta")
	case len(a.signatures) != int(m.signers) || len(m.keys) < int(m.signers):
		return nil, inconsistent("%d signatures, %d signers and %d accounts do not fit", len(a.signatures), m.signers, len(m.keys))
	case m.version != version0 && len(m.lookups) > 0, m.version != version1 && m.hasConfig(),
		m.version == version1 && (len(m.keys) > maxV1 || len(m.instructions) > maxV1):
		return nil, inconsistent("the message has parts that its version does not have")
	}
	l := &ledger{answer: a, keys: append(append(m.keys[:len(m.keys):len(m.keys)], a.writable...), a.readonly...)}
	writable, readonly := 0, 0
	for i := range m.lookups {
		writable, readonly = writable+len(m.lookups[i].writable), readonly+len(m.lookups[i].readonly)
	}
	switch {
	case len(a.writable) != writable || len(a.readonly) != readonly:
		return nil, inconsistent("%d addresses are loaded, the message names %d", len(a.writable)+len(a.readonly), writable+readonly)
	case len(l.keys) > maxAccounts || len(a.before) != len(l.keys) || len(a.after) != len(l.keys):
		return nil, inconsistent("%d accounts have %d and %d balances", len(l.keys), len(a.before), len(a.after))
	}
	if err := l.checkIndices(); err != nil {
		return nil, err
	}
	if err := l.checkLamports(); err != nil {
		return nil, err
	}
	var err error
	if l.acts, err = l.walk(); err != nil {
		return nil, err
	}
	if err := l.checkTokens(); err != nil {
		return nil, err
	}
	return l, l.checkSignatures()
}

func (m *message) hasConfig() bool {
	return m.priorityFee.set || m.limits[0].set || m.limits[1].set || m.limits[2].set
}

func (l *ledger) checkIndices() error {
	within := func(list []instruction) bool {
		for i := range list {
			if int(list[i].program) >= len(l.keys) {
				return false
			}
			for _, account := range list[i].accounts {
				if int(account) >= len(l.keys) {
					return false
				}
			}
		}
		return true
	}
	if !within(l.message.instructions) {
		return inconsistent("an instruction names an account that is not there")
	}
	for i, group := range l.inner {
		if int(group.index) >= len(l.message.instructions) || i > 0 && group.index <= l.inner[i-1].index || !within(group.list) {
			return inconsistent("the inner instructions of instruction %d do not fit", group.index)
		}
	}
	places := make([]*tokenBalance, 2*len(l.keys))
	l.tokenBefore, l.tokenAfter = places[:len(l.keys)], places[len(l.keys):]
	for i, list := range [][]tokenBalance{l.tokensBefore, l.tokensAfter} {
		places := [][]*tokenBalance{l.tokenBefore, l.tokenAfter}[i]
		for j := range list {
			b := &list[j]
			if int(b.account) >= len(l.keys) || places[b.account] != nil {
				return inconsistent("a token balance names account %d, which is not there or comes twice", b.account)
			}
			places[b.account] = b
		}
	}
	return nil
}

// checkLamports: what all accounts lost together is the fee. A sandbox that gives out balances does not keep to that.
func (l *ledger) checkLamports() error {
	var before, after total
	for i := range l.before {
		before.add(l.before[i])
		after.add(l.after[i])
	}
	after.add(l.fee)
	if before != after {
		return inconsistent("lamports before and after differ by something else than the fee")
	}
	return nil
}

// checkSignatures rebuilds what was signed.
func (l *ledger) checkSignatures() error {
	signed := l.message.bytes()
	if len(signed) > maxMessage {
		return inconsistent("a message of %d bytes, at most %d", len(signed), maxMessage)
	}
	for i, signature := range l.signatures {
		if !l.message.keys[i].Verify(signed, signature) {
			return inconsistent("signature %d is not one of this message", i)
		}
	}
	return nil
}

// checkTokens: of each mint, what the accounts hold together changes by what was minted and burned. Classic tokens know
// nothing else. Token-2022 may withhold a fee, and has instructions that move amounts we do not see; without those the sum
// cannot grow. Wrapped SOL changes with lamports.
func (l *ledger) checkTokens() error {
	if l.failed {
		return nil // nothing moved, and the lamports said so
	}
	type sum struct {
		mint          key
		program       key
		before, after total
	}
	var few [8]sum
	sums := few[:0]
	of := func(b *tokenBalance) *sum {
		for i := range sums {
			if sums[i].mint == b.mint {
				return &sums[i]
			}
		}
		sums = append(sums, sum{mint: b.mint, program: b.program})
		return &sums[len(sums)-1]
	}
	for i := range l.tokensBefore {
		of(&l.tokensBefore[i]).before.add(l.tokensBefore[i].amount)
	}
	for i := range l.tokensAfter {
		of(&l.tokensAfter[i]).after.add(l.tokensAfter[i].amount)
	}
	hidden := false
	for i := range l.acts {
		act := &l.acts[i]
		hidden = hidden || act.kind == actHidden
		if act.kind != actMint && act.kind != actBurn {
			continue
		}
		for j := range sums {
			if sums[j].mint != act.mint {
				continue
			}
			if act.kind == actMint {
				sums[j].before.add(act.amount)
			} else {
				sums[j].after.add(act.amount)
			}
		}
	}
	for i := range sums {
		s := &sums[i]
		cmp := s.after.cmp(s.before)
		switch {
		case s.mint == sdk.WrappedSol:
		case s.program == sdk.TokenProgramID && cmp != 0, s.program == sdk.Token2022ProgramID && cmp > 0 && !hidden:
			return inconsistent("the balances of mint %s do not add up", s.mint)
		}
	}
	return nil
}

// total is a sum of numbers of 64 bits.
type total struct{ high, low uint64 }

func (t *total) add(n uint64) {
	var carry uint64
	t.low, carry = bits.Add64(t.low, n, 0)
	t.high += carry
}

func (t total) cmp(other total) int {
	switch {
	case t == other:
		return 0
	case t.high > other.high, t.high == other.high && t.low > other.low:
		return 1
	}
	return -1
}
