package contracts

import (
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"pgregory.net/rapid"
)

// model is what one vault should do and have.
type model struct {
	terms   Terms
	at      common.Address
	balance int64
	toPayee int64
	parts   map[int64]bool
	frozen  bool
	owed    map[int64][2]int64 // part → to payee, to payer
	other   int64              // of the other token
	coin    int64              // of the chain's own
}

func (v *model) owedInAll() (toPayee, toPayer int64) {
	for _, o := range v.owed {
		toPayee, toPayer = toPayee+o[0], toPayer+o[1]
	}
	return toPayee, toPayer
}

func (v *model) available() int64 {
	a, b := v.owedInAll()
	return max(0, v.balance-a-b)
}

// machine carries out random calls on a world and says beforehand what each must do.
type machine struct {
	w        *world
	vaults   []*model
	received map[common.Address]int64 // of the order's token
	mood     uint8
	blocked  common.Address
}

// people are all who call, in a vault or not.
var people = []string{"payer", "payee", "operator", "arbiter", "stranger"}

func newMachine(t *rapid.T, tb testing.TB) *machine {
	m := &machine{w: newWorld(tb), received: make(map[common.Address]int64)}
	for i := range 2 {
		terms := m.w.termsFor(string(rune('a' + i)))
		terms.Amount = big.NewInt(rapid.Int64Range(0, 1500).Draw(t, "amount"))
		terms.DefaultToPayee = big.NewInt(rapid.Int64Range(0, 1500).Draw(t, "default"))
		at := m.w.vaultOf(tb, terms)
		m.w.mint(tb, m.w.token, at, 1000)
		m.vaults = append(m.vaults, &model{terms: terms, at: at, balance: 1000, parts: make(map[int64]bool), owed: make(map[int64][2]int64)})
	}
	return m
}

func (m *machine) vault(t *rapid.T) *model { return rapid.SampledFrom(m.vaults).Draw(t, "vault") }

// caller is mostly the one who may call.
func (m *machine) caller(t *rapid.T, right common.Address) common.Address {
	if rapid.IntRange(0, 3).Draw(t, "right caller") > 0 {
		return right
	}
	return keyed(rapid.SampledFrom(people).Draw(t, "caller"))
}

// divider is who may pay now.
func (v *model) divider() common.Address {
	if v.frozen {
		return v.terms.Arbiter
	}
	return v.terms.Operator
}

// fails says whether a transfer of the order's token fails now.
func (m *machine) fails(to common.Address) bool {
	switch m.mood {
	case answersFalse, lying:
		return true
	case burning, blocking:
		return to == m.blocked
	}
	return false
}

// move is a transfer out of a vault that does not fail.
func (m *machine) move(v *model, to common.Address, amount int64) {
	v.balance -= amount
	if m.mood == fee {
		amount -= amount / 100
	}
	m.received[to] += amount
}

// divide is what a payment does once it is allowed.
func (m *machine) divide(v *model, part, toPayee, toPayer int64) {
	v.toPayee += toPayee
	var owed [2]int64
	for i, leg := range []struct {
		to     common.Address
		amount int64
	}{{v.terms.Payee, toPayee}, {v.terms.Payer, toPayer}} {
		switch {
		case leg.amount == 0:
		case m.fails(leg.to):
			owed[i] = leg.amount
		default:
			m.move(v, leg.to, leg.amount)
		}
	}
	if owed != [2]int64{} {
		before := v.owed[part]
		v.owed[part] = [2]int64{before[0] + owed[0], before[1] + owed[1]}
	}
}

func (m *machine) mayPay(v *model, caller common.Address, part, toPayee, toPayer int64) bool {
	now := int64(m.w.time) //nolint:gosec // a test's time
	who, until := v.terms.Operator, v.terms.ReclaimDeadline.Int64()
	if v.frozen {
		who, until = v.terms.Arbiter, v.terms.DisputeDeadline.Int64()
	}
	return caller == who && now < until && part < 96 && !v.parts[part] && toPayee+toPayer > 0 &&
		v.toPayee+toPayee <= v.terms.Amount.Int64() && toPayee+toPayer <= v.available()
}

// do carries the call out and compares its success with what the model says.
func (m *machine) do(t *rapid.T, tb testing.TB, caller common.Address, data []byte, allowed bool) bool {
	_, err := m.w.call(caller, m.w.factory, data)
	if allowed != (err == nil) {
		t.Fatalf("allowed %t, error %v", allowed, err)
	}
	return allowed
}

func (m *machine) actions(tb testing.TB) map[string]func(*rapid.T) {
	now := func() int64 { return int64(m.w.time) } //nolint:gosec // a test's time
	return map[string]func(*rapid.T){
		"": func(t *rapid.T) { m.check(t, tb) },
		"deposit": func(t *rapid.T) {
			v, amount := m.vault(t), rapid.Int64Range(1, 1500).Draw(t, "deposit")
			m.w.mint(tb, m.w.token, v.at, amount)
			v.balance += amount
		},
		"deposit something else": func(t *rapid.T) {
			v := m.vault(t)
			m.w.mint(tb, m.w.other, v.at, 7)
			m.w.endow(v.at, 5)
			v.other, v.coin = v.other+7, v.coin+5
		},
		"change the token": func(t *rapid.T) {
			m.mood = rapid.SampledFrom([]uint8{plain, plain, plain, fee, answersFalse, silent, burning, blocking, long, lying}).Draw(t, "mood")
			m.blocked = keyed(rapid.SampledFrom([]string{"payer", "payee", "receiver"}).Draw(t, "blocked"))
			m.w.setMood(tb, m.mood, m.blocked)
		},
		"wait": func(t *rapid.T) { m.w.time += rapid.SampledFrom([]uint64{0, 0, 1, 20, 100}).Draw(t, "wait") },
		"pay": func(t *rapid.T) {
			v := m.vault(t)
			caller := m.caller(t, v.divider())
			part, a, b := drawPart(t), drawAmount(t), drawAmount(t)
			if m.do(t, tb, caller, vaults.PackPay(payment(v.terms, part, a, b)), m.mayPay(v, caller, part, a, b)) {
				v.parts[part] = true
				m.divide(v, part, a, b)
			}
		},
		"pay a batch": func(t *rapid.T) {
			caller := m.caller(t, m.vaults[0].divider())
			var batch []OrderVaultsPayment
			for range rapid.IntRange(0, 4).Draw(t, "members") {
				v, part, a, b := m.vault(t), drawPart(t), drawAmount(t), drawAmount(t)
				batch = append(batch, payment(v.terms, part, a, b))
				if m.mayPay(v, caller, part, a, b) {
					v.parts[part] = true
					m.divide(v, part, a, b)
				}
			}
			m.do(t, tb, caller, vaults.PackPayBatch(batch, big.NewInt(1_500_000)), true)
		},
		"pay as a batch would": func(t *rapid.T) {
			m.do(t, tb, keyed("operator"), vaults.PackPayFor(keyed("operator"), payment(m.vault(t).terms, 0, 1, 0)), false)
		},
		"release": func(t *rapid.T) {
			v, total := m.vault(t), rapid.Int64Range(0, 1600).Draw(t, "total")
			caller := m.caller(t, v.terms.Payee)
			signer := rapid.SampledFrom([]string{"payer", "payer", "payee", "operator"}).Draw(t, "signer")
			due := total - v.toPayee
			allowed := caller == v.terms.Payee && !v.frozen && signer == "payer" && total <= v.terms.Amount.Int64() && due > 0 && due <= v.available()
			if m.do(t, tb, caller, vaults.PackRelease(v.terms, big.NewInt(total), signRelease(tb, keyOf(signer), v.at, homeChain, total)), allowed) {
				m.divide(v, 254, due, 0)
			}
		},
		"freeze": func(t *rapid.T) {
			if rapid.IntRange(0, 3).Draw(t, "seldom") != 0 {
				return // what is frozen does little else
			}
			v := m.vault(t)
			caller := m.caller(t, v.terms.Arbiter)
			allowed := (caller == v.terms.Operator || caller == v.terms.Arbiter) && !v.frozen && now() < v.terms.ReclaimDeadline.Int64()
			if m.do(t, tb, caller, vaults.PackFreeze(v.terms), allowed) {
				v.frozen = true
			}
		},
		"reclaim": func(t *rapid.T) {
			v, to := m.vault(t), keyed(rapid.SampledFrom([]string{"payer", "receiver"}).Draw(t, "receiver"))
			caller := m.caller(t, v.terms.Payer)
			allowed := caller == v.terms.Payer && !v.frozen && now() >= v.terms.ReclaimDeadline.Int64() && v.available() > 0 && !m.fails(to)
			if m.do(t, tb, caller, vaults.PackReclaim(v.terms, to), allowed) {
				m.move(v, to, v.available())
			}
		},
		"divide by default": func(t *rapid.T) {
			v := m.vault(t)
			caller := m.caller(t, v.terms.Payee)
			allowed := (caller == v.terms.Payer || caller == v.terms.Payee) && v.frozen && now() >= v.terms.DisputeDeadline.Int64() && v.available() > 0
			if m.do(t, tb, caller, vaults.PackDivideByDefault(v.terms), allowed) {
				available := v.available()
				due := min(available, max(0, min(v.terms.DefaultToPayee.Int64(), v.terms.Amount.Int64())-v.toPayee))
				m.divide(v, 255, due, available-due)
			}
		},
		"claim": func(t *rapid.T) {
			v, part := m.vault(t), drawPart(t)
			caller := m.caller(t, keyed(rapid.SampledFrom([]string{"payer", "payee", "operator"}).Draw(t, "party")))
			to := keyed("receiver")
			due, payer, payee := v.owed[part], v.terms.Payer, v.terms.Payee
			if caller == v.terms.Payee {
				due[1], payee = 0, to
			}
			if caller == v.terms.Payer {
				due[0], payer = 0, to
			}
			party := caller == v.terms.Payee || caller == v.terms.Payer || caller == v.terms.Operator
			allowed := party && due != [2]int64{} && (due[0] == 0 || !m.fails(payee)) && (due[1] == 0 || !m.fails(payer))
			if m.do(t, tb, caller, vaults.PackClaim(v.terms, big.NewInt(part), to), allowed) {
				m.move(v, payee, due[0])
				m.move(v, payer, due[1])
				v.owed[part] = [2]int64{v.owed[part][0] - due[0], v.owed[part][1] - due[1]}
			}
		},
		"return something else": func(t *rapid.T) {
			v := m.vault(t)
			caller := m.caller(t, v.terms.Operator)
			which := rapid.SampledFrom([]string{"other", "coin", "the order's", "second entry"}).Draw(t, "what")
			may := caller == v.terms.Operator || caller == v.terms.Payer && now() >= v.terms.ReclaimDeadline.Int64()
			token, amount := m.w.other, &v.other
			switch which {
			case "coin":
				token, amount = common.Address{}, &v.coin
			case "the order's":
				token, amount = m.w.token, new(int64)
			case "second entry":
				token, amount = m.w.second, new(int64)
			}
			if m.do(t, tb, caller, vaults.PackReturnOther(v.terms, token, keyed("receiver")), may && *amount > 0) {
				*amount = 0
			}
		},
		"call a vault past its factory": func(t *rapid.T) {
			v := m.vault(t)
			if m.w.state.GetCodeSize(v.at) == 0 {
				return
			}
			if _, err := m.w.call(keyed("operator"), v.at, vault.PackPay(keyed("operator"), big.NewInt(0), big.NewInt(1), new(big.Int))); err == nil {
				t.Fatal("a vault listens to others than its factory")
			}
			if _, err := m.w.call(keyed("operator"), v.at, vault.PackTransferOut(m.w.token, keyed("stranger"), big.NewInt(1))); err == nil {
				t.Fatal("a vault transfers for others than itself")
			}
		},
		"call on another chain": func(t *rapid.T) {
			v := m.vault(t)
			caller := m.caller(t, v.terms.Operator)
			if v.balance == 0 || m.mood != plain {
				return
			}
			// Tried and undone: what is done there is not done here.
			snapshot := m.w.state.Copy()
			m.w.chainID = homeChain + 1
			for _, data := range [][]byte{
				vaults.PackPay(payment(v.terms, 90, 1, 0)), vaults.PackFreeze(v.terms), vaults.PackReclaim(v.terms, caller), vaults.PackDivideByDefault(v.terms),
				vaults.PackRelease(v.terms, big.NewInt(1), signRelease(tb, keyOf("payer"), v.at, homeChain+1, 1)),
			} {
				m.do(t, tb, caller, data, false)
			}
			may := caller == v.terms.Operator || caller == v.terms.Payer && now() >= v.terms.ReclaimDeadline.Int64()
			before := m.w.balance(tb, m.w.token, v.terms.Payer)
			if m.do(t, tb, caller, vaults.PackReturnOther(v.terms, m.w.token, v.terms.Payer), may) {
				if got := m.w.balance(tb, m.w.token, v.terms.Payer) - before; got != v.balance {
					t.Fatalf("%d of %d were returned", got, v.balance)
				}
			}
			m.w.state, m.w.chainID = snapshot, homeChain
		},
	}
}

// drawAmount is an amount of which several fit into a vault.
func drawAmount(t *rapid.T) int64 { return rapid.Int64Range(0, 400).Draw(t, "amount") }

func drawPart(t *rapid.T) int64 {
	return rapid.SampledFrom([]int64{0, 0, 1, 95, 96, 254, 255}).Draw(t, "part")
}

// check compares the chain with the model, and the model with what must always hold.
func (m *machine) check(t *rapid.T, tb testing.TB) {
	for _, v := range m.vaults {
		if got := m.w.balance(tb, m.w.token, v.at); got != v.balance {
			t.Fatalf("a vault has %d, want %d", got, v.balance)
		}
		books := m.w.books(tb, v.at)
		owedToPayee, owedToPayer := v.owedInAll()
		parts := new(big.Int)
		for part := range v.parts {
			parts.SetBit(parts, int(part), 1)
		}
		if books.ToPayee.Int64() != v.toPayee || books.Frozen != v.frozen || books.Parts.Cmp(parts) != 0 ||
			books.OwedToPayee.Int64() != owedToPayee || books.OwedToPayer.Int64() != owedToPayer {
			t.Fatalf("the books are %+v, want %+v", books, v)
		}
		if v.toPayee > v.terms.Amount.Int64() {
			t.Fatalf("the payee has %d of %s", v.toPayee, v.terms.Amount)
		}
		if m.w.balance(tb, m.w.other, v.at) != v.other || m.w.balance(tb, common.Address{}, v.at) != v.coin {
			t.Fatalf("other money of the vault is not %d and %d", v.other, v.coin)
		}
	}
	for _, name := range append(people, "receiver") {
		if got := m.w.balance(tb, m.w.token, keyed(name)); got != m.received[keyed(name)] {
			t.Fatalf("%s has %d, want %d", name, got, m.received[keyed(name)])
		}
	}
	for _, name := range []string{"operator", "arbiter", "stranger"} {
		if m.received[keyed(name)] != 0 {
			t.Fatalf("%s has received money", name)
		}
	}
}

// empty lets time pass and the parties take what is theirs: nothing may stay behind.
func (m *machine) empty(t *rapid.T, tb testing.TB) {
	m.w.time += 1000
	m.mood = plain
	m.w.setMood(tb, plain, common.Address{})
	payer, payee := keyed("payer"), keyed("payee")
	for _, v := range m.vaults {
		for part := range v.owed {
			for _, who := range []common.Address{payer, payee} {
				_, _ = m.w.call(who, m.w.factory, vaults.PackClaim(v.terms, big.NewInt(part), who)) // one of them may be owed nothing
			}
		}
		left := m.w.balance(tb, m.w.token, v.at)
		data := vaults.PackReclaim(v.terms, payer)
		if v.frozen {
			data = vaults.PackDivideByDefault(v.terms)
		}
		m.do(t, tb, payer, data, left > 0)
		if left := m.w.balance(tb, m.w.token, v.at); left != 0 {
			t.Fatalf("%d stay in a vault beyond all deadlines", left)
		}
	}
}

// TestVaultsKeepTheirTerms carries out random sequences of all calls by all parties and strangers over three vaults of one
// token that misbehaves, and compares each call's success, all balances and books with a model.
func TestVaultsKeepTheirTerms(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := newMachine(rt, t)
		for range 2 {
			rt.Repeat(m.actions(t))
		}
		m.empty(rt, t)
	})
}

// TestTokenThatCallsBackGetsNothing has a token that is the operator itself pay another part from within a transfer.
func TestTokenThatCallsBackGetsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	terms := w.termsFor("reentrant")
	terms.Operator = w.token
	at := w.vaultOf(t, terms)
	w.mint(t, w.token, at, 1000)
	for name, data := range map[string][]byte{
		"pay": vaults.PackPay(payment(terms, 1, 500, 0)), "batch": vaults.PackPayBatch([]OrderVaultsPayment{payment(terms, 2, 500, 0)}, big.NewInt(1_000_000)),
		"freeze": vaults.PackFreeze(terms), "return": vaults.PackReturnOther(terms, w.other, named("x")),
	} {
		if _, err := w.call(named("minter"), w.token, hostile.PackCallBack(w.factory, data)); err != nil {
			t.Fatal(err)
		}
		w.setMood(t, reentrant, common.Address{})
		before := w.books(t, at).ToPayee.Int64()
		total := before + 100
		if _, err := w.call(terms.Payee, w.factory, vaults.PackRelease(terms, big.NewInt(total), signRelease(t, keyOf("payer"), at, homeChain, total))); err != nil {
			t.Fatal(err)
		}
		if got := w.books(t, at); got.ToPayee.Int64() != total || got.Frozen || got.Parts.Sign() != 0 {
			t.Errorf("%s: called back, the books are %+v", name, got)
		}
	}
	w.setMood(t, plain, common.Address{})
	if _, err := w.call(w.token, w.factory, vaults.PackPay(payment(terms, 1, 500, 0))); err != nil {
		t.Errorf("the same call is refused when nothing is under way: %v", err)
	}
}

// TestReleaseSignatures has a release signed for another vault, chain or total, in another form, and by a contract.
func TestReleaseSignatures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	terms := w.termsFor("signed")
	at := w.vaultOf(t, terms)
	w.mint(t, w.token, at, 1000)
	good := signRelease(t, keyOf("payer"), at, homeChain, 400)
	high := slices.Clone(good) // the same signature with s on the other side of the curve's order
	s := new(big.Int).Sub(crypto.S256().Params().N, new(big.Int).SetBytes(good[32:64]))
	s.FillBytes(high[32:64])
	high[64] = 27 + 28 - high[64]
	for name, signature := range map[string][]byte{
		"another vault": signRelease(t, keyOf("payer"), w.vaultOf(t, w.termsFor("another")), homeChain, 400),
		"another chain": signRelease(t, keyOf("payer"), at, homeChain+1, 400),
		"another total": signRelease(t, keyOf("payer"), at, homeChain, 401),
		"another key":   signRelease(t, keyOf("payee"), at, homeChain, 400),
		"high s":        high, "short": good[:64], "long": append(slices.Clone(good), 0), "none": nil,
	} {
		if _, err := w.call(terms.Payee, w.factory, vaults.PackRelease(terms, big.NewInt(400), signature)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := w.call(terms.Payee, w.factory, vaults.PackRelease(terms, big.NewInt(400), good)); err != nil {
		t.Errorf("the payer's own is refused: %v", err)
	}
	if got := w.balance(t, w.token, terms.Payee); got != 400 {
		t.Errorf("the payee has %d", got)
	}

	// A contract that knows no EIP-1271, and one that does.
	signer := w.deploy(t, DigestWalletMetaData.Bin)
	for _, payer := range []common.Address{w.token, signer} {
		of := w.termsFor("contract")
		of.Payer = payer
		at := w.vaultOf(t, of)
		w.mint(t, w.token, at, 1000)
		data := vaults.PackRelease(of, big.NewInt(400), nil)
		if _, err := w.call(of.Payee, w.factory, data); err == nil {
			t.Errorf("%s signed nothing and has released", payer)
		}
		if _, err := w.call(named("its owner"), signer, NewDigestWallet().PackSign(releaseDigest(t, at, homeChain, 400))); err != nil {
			t.Fatal(err)
		}
		if _, err := w.call(of.Payee, w.factory, data); (err == nil) != (payer == signer) {
			t.Errorf("%s: %v", payer, err)
		}
	}
}

// TestOwedIsClaimedOnce has two parts owed to a payee whom the token refuses.
func TestOwedIsClaimedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	terms := w.termsFor("owed")
	at := w.vaultOf(t, terms)
	w.mint(t, w.token, at, 1000)
	w.setMood(t, blocking, terms.Payee)
	for part := range int64(2) {
		if _, err := w.call(terms.Operator, w.factory, vaults.PackPay(payment(terms, part, 300, 0))); err != nil {
			t.Fatal(err)
		}
	}
	claim := func(part int64, receiver common.Address) error {
		_, err := w.call(terms.Payee, w.factory, vaults.PackClaim(terms, big.NewInt(part), receiver))
		return err
	}
	if claim(0, terms.Payee) == nil || claim(0, at) == nil {
		t.Error("a claim to who is refused, or to the vault itself, has succeeded")
	}
	if err := claim(0, named("elsewhere")); err != nil {
		t.Fatal(err)
	}
	if claim(0, named("elsewhere")) == nil {
		t.Error("a part is claimed twice")
	}
	if err := claim(1, named("elsewhere")); err != nil {
		t.Error(err)
	}
	if got := w.balance(t, w.token, named("elsewhere")); got != 600 {
		t.Errorf("%d were claimed, want 600", got)
	}
}

// TestTooLittleGasRevertsInsteadOfOwing tries every gas limit at which a transfer could fail for want of gas.
func TestTooLittleGasRevertsInsteadOfOwing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	terms := w.termsFor("gas")
	at := w.vaultOf(t, terms)
	w.mint(t, w.token, at, 1000)
	data := vaults.PackPay(payment(terms, 0, 600, 400))
	refused, named := 0, 0
	for gas := uint64(50_000); gas < 1_000_000; gas += 5_000 {
		try := *w
		try.state = w.state.Copy()
		if _, err := try.callWith(terms.Operator, w.factory, data, gas); err != nil {
			refused++
			if strings.Contains(err.Error(), "TooLittleGas") {
				named++
			}
			continue
		}
		if books := try.books(t, at); books.OwedToPayee.Sign() != 0 || books.OwedToPayer.Sign() != 0 {
			t.Fatalf("with %d gas a transfer failed and stays owed: %+v", gas, books)
		}
	}
	if named < 20 || refused == 190 {
		t.Errorf("%d of 190 limits were refused, %d of them by name", refused, named)
	}
}

// TestBatchOf50 pays 50 vaults that are not deployed, one of them impossible, and says what a release costs.
func TestBatchOf50(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var batch []OrderVaultsPayment
	for i := range 50 {
		terms := w.termsFor("batch" + string(rune('0'+i)))
		terms.Payee = named("payee" + string(rune('0'+i)))
		w.mint(t, w.token, w.vaultOf(t, terms), 1000)
		batch = append(batch, payment(terms, 0, 1000, 0))
	}
	batch[20].ToPayee = big.NewInt(1001)
	data := vaults.PackPayBatch(batch, big.NewInt(700_000))
	if _, err := w.call(keyed("operator"), w.factory, data); err != nil {
		t.Fatal(err)
	}
	each := w.cost(t, data) / 50
	t.Logf("%d gas a release", each)
	if each > 210_000 {
		t.Errorf("%d gas a release, at most 210,000", each)
	}
	for i, p := range batch {
		want := int64(1000)
		if i == 20 {
			want = 0
		}
		if got := w.balance(t, w.token, p.Terms.Payee); got != want {
			t.Errorf("payee %d has %d, want %d", i, got, want)
		}
	}
}

// TestGasPerCall reports what each call costs as a transaction.
func TestGasPerCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	terms := w.termsFor("gas per call")
	at := w.vaultOf(t, terms)
	w.mint(t, w.token, at, 1000)
	var report strings.Builder
	for _, step := range []struct {
		name string
		from common.Address
		data []byte
		wait uint64
	}{
		{"pay, first, deploys", terms.Operator, vaults.PackPay(payment(terms, 0, 100, 100)), 0},
		{"pay, again", terms.Operator, vaults.PackPay(payment(terms, 1, 100, 100)), 0},
		{"release", terms.Payee, vaults.PackRelease(terms, big.NewInt(300), signRelease(t, keyOf("payer"), at, homeChain, 300)), 0},
		{"freeze", terms.Arbiter, vaults.PackFreeze(terms), 0},
		{"pay, frozen", terms.Arbiter, vaults.PackPay(payment(terms, 2, 100, 100)), 0},
		{"divide by default", terms.Payer, vaults.PackDivideByDefault(terms), 300},
	} {
		w.time += step.wait
		if _, err := w.call(step.from, w.factory, step.data); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		report.WriteString("\n" + step.name + ": " + big.NewInt(int64(w.cost(t, step.data))).String()) //nolint:gosec // gas
	}
	t.Log(report.String())
}
