package solana

import (
	"encoding/json"
	"flag"
	"os"
	"strconv"
	"testing"
	"time"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/settlement"
)

var record = flag.Bool("record", false, "write what the node answers to TestScenarios into testdata")

const classicProgram, token2022 = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA", "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"

// scene is one transaction that the node carried out, and what must be made of it.
type scene struct {
	plan
	want []expectation
}

// scenarios are carried out on the real node, each by keys of its own.
var scenarios = map[string]struct {
	about string
	play  func(*lab) scene
}{}

func scenario(name, about string, play func(*lab) scene) struct{} {
	scenarios[name] = struct {
		about string
		play  func(*lab) scene
	}{about, play}
	return struct{}{}
}

// TestScenarios carries each scenario out, judges it through the endpoint and offline, and records it on demand:
// go test ./verify/solana -run TestScenarios -record
func TestScenarios(t *testing.T) {
	t.Parallel()
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startLab(t)
			scene := s.play(l)
			signature, err := l.send(scene.plan)
			if err != nil {
				t.Fatal(err)
			}
			var version struct {
				Core string `json:"solana-core"`
			}
			l.call(&version, "getVersion")
			r := recording{
				About: s.about, Node: "solana-test-validator " + version.Core + ", " + time.Now().UTC().Format(time.DateOnly),
				Chain: ChainOf(l.node.Genesis()), Signature: signature.String(), Expectations: scene.want, Result: l.answer(signature),
			}
			r.check(t)
			for _, x := range r.Expectations {
				v, err := newChain(t, r.Chain, x.token(t, r.Chain), l.node.URL()).Verify(t.Context(), r.claim(t, x))
				if outcome(v, err) != x.Code || v.Detail != x.Detail {
					t.Errorf("through the endpoint: %s %q (%v), want %s %q: %s", v.Code, v.Detail, err, x.Code, x.Detail, x.Why)
				}
				if v.Evidence == nil || v.Evidence.Head < v.Evidence.Block || v.Evidence.BlockTime.IsZero() || len(v.Evidence.Digests) != 2 {
					t.Errorf("evidence %+v", v.Evidence)
				}
			}
			if *record && !t.Failed() {
				raw, err := json.MarshalIndent(r, "", " ")
				if err == nil {
					err = os.WriteFile("testdata/"+name+".json", append(raw, '\n'), 0o644)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// pays is the claim that the scenario's payment fits.
func (m *market) pays(units uint64, code settlement.Code, why string) expectation {
	return expectation{
		Token: m.mint.String(), Program: m.program.String(), Decimals: digits6, Payer: m.alice.PublicKey().String(),
		Payee: m.bob.PublicKey().String(), Amount: strconv.FormatUint(units, 10), Code: code, Why: why,
	}
}

func (x expectation) with(change func(*expectation)) expectation {
	change(&x)
	return x
}

func native(payer, payee sdk.PublicKey, lamports uint64, code settlement.Code, why string) expectation {
	return expectation{
		Token: "native", Payer: payer.String(), Payee: payee.String(), Amount: strconv.FormatUint(lamports, 10), Code: code, Why: why,
	}
}

// checked is alice's payment to bob's associated account.
func (m *market) checked(units uint64, more ...*sdk.AccountMeta) sdk.Instruction {
	return transferChecked(m.program, m.payer, m.mint, m.payee, signer(m.alice.PublicKey()), units, digits6, more...)
}

var _ = scenario("spl-transferchecked", "SPL Token, transferChecked between associated accounts.", func(l *lab) scene {
	m := l.classic()
	ok := m.pays(7*million, settlement.Verified, "exact")
	ok.Position = "ix/0"
	return scene{plan{payer: m.alice, instructions: []sdk.Instruction{m.checked(7 * million)}}, []expectation{
		ok,
		ok.with(func(x *expectation) {
			x.Program, x.Decimals = "", 0
			x.Why = "looked at by hand: program and decimals not pinned"
		}),
		m.pays(7*million+1, settlement.AmountMismatch, "one short").with(func(x *expectation) { x.Detail = settlement.Under }),
		m.pays(7*million-1, settlement.AmountMismatch, "one too many").with(func(x *expectation) { x.Detail = settlement.Over }),
		m.pays(7*million, settlement.PayerMismatch, "somebody else paid").with(func(x *expectation) { x.Payer = m.carol.PublicKey().String() }),
		m.pays(7*million, settlement.PayeeMismatch, "somebody else was paid").with(func(x *expectation) { x.Payee = m.carol.PublicKey().String() }),
		m.pays(7*million, settlement.PayeeMismatch, "the payee is a token account").with(func(x *expectation) { x.Payee = m.payee.String() }),
		m.pays(7*million, settlement.TokenMismatch, "another mint").with(func(x *expectation) { x.Token = m.carol.PublicKey().String() }),
		m.pays(7*million, settlement.TokenMismatch, "the mint of the other token program").with(func(x *expectation) { x.Program = token2022 }),
		m.pays(7*million, settlement.TokenMismatch, "a mint with other decimals").with(func(x *expectation) { x.Decimals = 9 }),
		m.pays(7*million, settlement.TransferAlreadyUsed, "it paid another order").with(func(x *expectation) { x.Used = []string{"ix/0"} }),
	}}
})

var _ = scenario("spl-fresh-account", "SPL Token, plain transfer into an associated account made by the same transaction; a memo and a budget beside it.", func(l *lab) scene {
	m := l.classic()
	carol := m.carol.PublicKey()
	to := ata(carol, m.program, m.mint)
	ok := m.pays(3*million, settlement.Verified, "no balance before counts as none").with(func(x *expectation) { x.Payee = carol.String(); x.Position = "ix/2" })
	return scene{plan{payer: m.alice, instructions: []sdk.Instruction{
		instruct(sdk.ComputeBudget, join([]byte{2}, u32(200_000))),
		createAssociated(m.alice.PublicKey(), carol, m.program, m.mint),
		transferPlain(m.program, m.payer, to, m.alice.PublicKey(), 3*million),
		payLamports(m.alice.PublicKey(), to, 5000),
	}}, []expectation{ok, native(m.alice.PublicKey(), to, 5000, settlement.PayeeMismatch, "lamports for a token account pay nobody")}}
})

var _ = scenario("account-without-transfer", "An associated account is made and nothing is paid into it.", func(l *lab) scene {
	m := l.classic()
	carol := m.carol.PublicKey()
	return scene{
		plan{payer: m.alice, instructions: []sdk.Instruction{createAssociated(m.alice.PublicKey(), carol, m.program, m.mint)}},
		[]expectation{m.pays(3*million, settlement.NoTransfer, "an entry of a balance is no transfer").with(func(x *expectation) { x.Payee = carol.String() })},
	}
})

var _ = scenario("token2022-plain", "Token-2022, a mint without extensions.", func(l *lab) scene {
	m := l.newMarket(sdk.Token2022ProgramID, mintLength, nil)
	return scene{plan{payer: m.alice, instructions: []sdk.Instruction{m.checked(5 * million)}}, []expectation{
		m.pays(5*million, settlement.Verified, "the associated account of the mint's own program"),
		m.pays(5*million, settlement.TokenMismatch, "the list says that it is a classic mint").with(func(x *expectation) { x.Program = classicProgram }),
	}}
})

// feeMint withholds 4 % of what is sent.
func feeMint(mint, authority sdk.PublicKey) []sdk.Instruction {
	return []sdk.Instruction{instruct(sdk.Token2022ProgramID,
		join([]byte{26, 0, 1}, authority[:], []byte{1}, authority[:], []byte{400 % 256, 400 / 256}, u64(1000*million)), rw(mint))}
}

const feeMintLength = accountLength + 1 + 4 + 108

var _ = scenario("token2022-fee", "Token-2022 with a transfer fee of 4 %, moved by a plain transferChecked.", func(l *lab) scene {
	m := l.newMarket(sdk.Token2022ProgramID, feeMintLength, feeMint)
	return scene{plan{payer: m.alice, instructions: []sdk.Instruction{m.checked(100 * million)}}, []expectation{
		m.pays(100*million, settlement.AmountMismatch, "4 % were withheld").with(func(x *expectation) { x.Detail = settlement.FeeWithheld }),
		m.pays(96*million, settlement.Verified, "what arrived"),
		m.pays(101*million, settlement.AmountMismatch, "too little was sent").with(func(x *expectation) { x.Detail = settlement.Under }),
	}}
})

var _ = scenario("token2022-checked-with-fee", "Token-2022 with a transfer fee of 4 %, moved twice by transferCheckedWithFee.", func(l *lab) scene {
	m := l.newMarket(sdk.Token2022ProgramID, feeMintLength, feeMint)
	pay := func(units, fee uint64) sdk.Instruction {
		return instruct(m.program, join([]byte{26, 1}, u64(units), []byte{digits6}, u64(fee)),
			rw(m.payer), ro(m.mint), rw(m.payee), signer(m.alice.PublicKey()))
	}
	return scene{plan{payer: m.alice, instructions: []sdk.Instruction{pay(100*million, 4*million), pay(50*million, 2*million)}}, []expectation{
		m.pays(100*million, settlement.AmountMismatch, "4 % were withheld").with(func(x *expectation) { x.Detail = settlement.FeeWithheld }),
		m.pays(96*million, settlement.Verified, "the first").with(func(x *expectation) { x.Position = "ix/0" }),
		m.pays(48*million, settlement.Verified, "the second").with(func(x *expectation) { x.Position = "ix/1" }),
	}}
})

var _ = scenario("token2022-fee-twice", "Token-2022 with a transfer fee, moved twice by a plain transferChecked: which withheld how much is not told.", func(l *lab) scene {
	m := l.newMarket(sdk.Token2022ProgramID, feeMintLength, feeMint)
	return scene{plan{payer: m.alice, instructions: []sdk.Instruction{m.checked(100 * million), m.checked(50 * million)}}, []expectation{
		m.pays(100*million, settlement.TransferAmbiguous, "the balance does not add up"),
		m.pays(96*million, settlement.AmountMismatch, "no instruction says so").with(func(x *expectation) { x.Detail = settlement.Over }),
	}}
})

var _ = scenario("token2022-interest", "Token-2022, an interest-bearing mint, whose amounts for people differ from base units.", func(l *lab) scene {
	m := l.newMarket(sdk.Token2022ProgramID, accountLength+1+4+52, func(mint, authority sdk.PublicKey) []sdk.Instruction {
		return []sdk.Instruction{instruct(sdk.Token2022ProgramID, join([]byte{33, 0}, authority[:], []byte{0xff, 0x7f}), rw(mint))}
	})
	return scene{plan{payer: m.alice, instructions: []sdk.Instruction{m.checked(5 * million)}}, []expectation{
		m.pays(5*million, settlement.Verified, "base units only"),
	}}
})

var _ = scenario("sol-transfer", "SOL; the payee pays the fee, so that its balance rises by less.", func(l *lab) scene {
	keys := l.wallets(2)
	alice, bob := keys[0].PublicKey(), keys[1].PublicKey()
	return scene{plan{payer: keys[1], signers: keys[:1], instructions: []sdk.Instruction{payLamports(alice, bob, sol)}}, []expectation{
		native(alice, bob, sol, settlement.Verified, "the instruction's amount"),
		native(alice, bob, sol-10_000, settlement.AmountMismatch, "the change of the balance").with(func(x *expectation) { x.Detail = settlement.Over }),
		native(bob, alice, sol, settlement.PayeeMismatch, "the other way round"),
		native(alice, bob, sol, settlement.TokenMismatch, "wrapped SOL is another token").with(func(x *expectation) { x.Token = sdk.WrappedSol.String() }),
	}}
})

var _ = scenario("sol-transfer-with-seed", "SOL out of an account derived from the signer.", func(l *lab) scene {
	keys := l.wallets(2)
	base, bob := keys[0].PublicKey(), keys[1].PublicKey()
	const seed = "till"
	till, err := sdk.CreateWithSeed(base, seed, sdk.SystemProgramID)
	if err != nil {
		l.t.Fatal(err)
	}
	l.run(plan{payer: keys[0], instructions: []sdk.Instruction{payLamports(base, till, 3*sol)}})
	pay := instruct(sdk.SystemProgramID, join(u32(11), u64(sol), u64(uint64(len(seed))), []byte(seed), sdk.SystemProgramID[:]),
		rw(till), signer(base), rw(bob))
	return scene{plan{payer: keys[0], instructions: []sdk.Instruction{pay}}, []expectation{
		native(till, bob, sol, settlement.Verified, "the derived account paid"),
		native(base, bob, sol, settlement.PayerMismatch, "the signer only allowed it"),
	}}
})

var _ = scenario("sol-create-account", "Lamports reach an account by its creation: no transfer.", func(l *lab) scene {
	keys := l.wallets(1)
	fresh := newKey(l.t)
	return scene{
		plan{payer: keys[0], signers: []sdk.PrivateKey{fresh}, instructions: []sdk.Instruction{
			createAccount(keys[0].PublicKey(), fresh.PublicKey(), 0, sdk.SystemProgramID),
		}},
		[]expectation{native(keys[0].PublicKey(), fresh.PublicKey(), rent(0), settlement.NoTransfer, "a balance that rose proves nothing")},
	}
})

var _ = scenario("closed-destination", "Tokens pass through the payee's account, which is closed in the same transaction.", func(l *lab) scene {
	m := l.classic()
	carol := m.carol.PublicKey()
	l.run(plan{payer: m.alice, instructions: []sdk.Instruction{createAssociated(m.alice.PublicKey(), carol, m.program, m.mint)}})
	return scene{plan{payer: m.alice, signers: []sdk.PrivateKey{m.bob}, instructions: []sdk.Instruction{
		m.checked(2 * million),
		transferPlain(m.program, m.payee, ata(carol, m.program, m.mint), m.bob.PublicKey(), 2*million),
		closeAccount(m.program, m.payee, m.bob.PublicKey(), m.bob.PublicKey()),
	}}, []expectation{m.pays(2*million, settlement.DestinationClosed, "nothing is left to hold it")}}
})

// wrap puts SOL into the wallet's associated account for wrapped SOL.
func (l *lab) wrap(wallet sdk.PrivateKey, lamports uint64) {
	l.t.Helper()
	owner := wallet.PublicKey()
	account := ata(owner, sdk.TokenProgramID, sdk.WrappedSol)
	l.run(plan{payer: wallet, instructions: []sdk.Instruction{
		createAssociated(owner, owner, sdk.TokenProgramID, sdk.WrappedSol), payLamports(owner, account, lamports),
		instruct(sdk.TokenProgramID, []byte{17}, rw(account)),
	}})
}

func wrapped(payer, payee sdk.PublicKey, lamports uint64, code settlement.Code, why string) expectation {
	return native(payer, payee, lamports, code, why).with(func(x *expectation) {
		x.Token, x.Program, x.Decimals = sdk.WrappedSol.String(), classicProgram, 9
	})
}

var _ = scenario("wrapped-sol", "Wrapped SOL between associated accounts.", func(l *lab) scene {
	keys := l.wallets(2)
	alice, bob := keys[0].PublicKey(), keys[1].PublicKey()
	l.wrap(keys[0], 3*sol)
	l.wrap(keys[1], sol)
	from, to := ata(alice, sdk.TokenProgramID, sdk.WrappedSol), ata(bob, sdk.TokenProgramID, sdk.WrappedSol)
	return scene{plan{payer: keys[0], instructions: []sdk.Instruction{transferPlain(sdk.TokenProgramID, from, to, alice, 2*sol)}}, []expectation{
		wrapped(alice, bob, 2*sol, settlement.Verified, "a token like others"),
		native(alice, bob, 2*sol, settlement.TokenMismatch, "not the native coin"),
	}}
})

var _ = scenario("wrapped-sol-unwrapped", "Wrapped SOL into a fresh account that is closed towards its owner in the same transaction.", func(l *lab) scene {
	keys := l.wallets(2)
	alice, bob := keys[0].PublicKey(), keys[1].PublicKey()
	l.wrap(keys[0], 3*sol)
	from, to := ata(alice, sdk.TokenProgramID, sdk.WrappedSol), ata(bob, sdk.TokenProgramID, sdk.WrappedSol)
	return scene{plan{payer: keys[0], signers: keys[1:], instructions: []sdk.Instruction{
		createAssociated(alice, bob, sdk.TokenProgramID, sdk.WrappedSol),
		transferPlain(sdk.TokenProgramID, from, to, alice, 2*sol),
		closeAccount(sdk.TokenProgramID, to, bob, bob),
	}}, []expectation{wrapped(alice, bob, 2*sol, settlement.DestinationClosed, "whose it was is told by its address alone")}}
})
