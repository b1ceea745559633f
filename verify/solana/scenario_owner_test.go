package solana

import (
	"testing"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/settlement"
)

var _ = scenario("delegate", "A delegate of the payer signs; the tokens are the payer's.", func(l *lab) scene {
	m := l.classic()
	dan := m.dan.PublicKey()
	l.run(plan{payer: m.alice, instructions: []sdk.Instruction{approve(m.program, m.payer, dan, m.alice.PublicKey(), 10*million)}})
	return scene{plan{payer: m.dan, instructions: []sdk.Instruction{
		transferChecked(m.program, m.payer, m.mint, m.payee, signer(dan), 4*million, digits6),
	}}, []expectation{
		m.pays(4*million, settlement.Verified, "whose balance fell"),
		m.pays(4*million, settlement.PayerMismatch, "who signed").with(func(x *expectation) { x.Payer = dan.String() }),
	}}
})

var _ = scenario("multisig", "The payer is a multisig of the Token program.", func(l *lab) scene {
	m := l.classic()
	group := newKey(l.t)
	account := ata(group.PublicKey(), m.program, m.mint)
	alice := m.alice.PublicKey()
	l.run(plan{payer: m.alice, signers: []sdk.PrivateKey{group}, instructions: []sdk.Instruction{
		createAccount(alice, group.PublicKey(), multisigLength, m.program),
		instruct(m.program, []byte{19, 2}, rw(group.PublicKey()), ro(m.carol.PublicKey()), ro(m.dan.PublicKey())),
		createAssociated(alice, group.PublicKey(), m.program, m.mint),
		transferPlain(m.program, m.payer, account, alice, 100*million),
	}})
	return scene{plan{payer: m.alice, signers: []sdk.PrivateKey{m.carol, m.dan}, instructions: []sdk.Instruction{
		transferChecked(m.program, account, m.mint, m.payee, ro(group.PublicKey()), 4*million, digits6,
			signer(m.carol.PublicKey()), signer(m.dan.PublicKey())),
	}}, []expectation{
		m.pays(4*million, settlement.Verified, "the multisig's address").with(func(x *expectation) { x.Payer = group.PublicKey().String() }),
		m.pays(4*million, settlement.PayerMismatch, "one of its signers").with(func(x *expectation) { x.Payer = m.carol.PublicKey().String() }),
	}}
})

var _ = scenario("inner", "The Associated Token Account program recovers tokens from a nested account: an inner transferChecked.", func(l *lab) scene {
	m := l.classic()
	alice, bob := m.alice.PublicKey(), m.bob.PublicKey()
	nested := ata(m.payee, m.program, m.mint)
	l.run(plan{payer: m.alice, instructions: []sdk.Instruction{
		createAssociated(alice, m.payee, m.program, m.mint), transferPlain(m.program, m.payer, nested, alice, 4*million),
	}})
	return scene{plan{payer: m.alice, signers: []sdk.PrivateKey{m.bob}, instructions: []sdk.Instruction{
		instruct(sdk.SPLAssociatedTokenAccountProgramID, []byte{2},
			rw(nested), ro(m.mint), rw(m.payee), ro(m.payee), ro(m.mint), payerOf(bob), ro(m.program)),
	}}, []expectation{
		m.pays(4*million, settlement.Verified, "the nested account's owner is an account of the wallet").with(func(x *expectation) {
			x.Payer, x.Position = m.payee.String(), "ix/0.0"
		}),
		m.pays(4*million, settlement.PayerMismatch, "who paid into the nested account").with(func(*expectation) {}),
	}}
})

var _ = scenario("taken-back", "An earlier approval takes the payment away in the same transaction.", func(l *lab) scene {
	m := l.classic()
	bob, dan := m.bob.PublicKey(), m.dan.PublicKey()
	l.run(plan{payer: m.alice, signers: []sdk.PrivateKey{m.bob}, instructions: []sdk.Instruction{
		approve(m.program, m.payee, dan, bob, 100*million), createAssociated(m.alice.PublicKey(), dan, m.program, m.mint), m.checked(million),
	}})
	return scene{plan{payer: m.alice, signers: []sdk.PrivateKey{m.dan}, instructions: []sdk.Instruction{
		m.checked(6 * million),
		transferPlain(m.program, m.payee, ata(dan, m.program, m.mint), dan, 3*million),
	}}, []expectation{
		m.pays(6*million, settlement.AmountMismatch, "half of it is gone").with(func(x *expectation) { x.Detail = settlement.Returned }),
	}}
})

var _ = scenario("given-away-before", "The payee's associated account has had another owner since before: its address alone says nothing.", func(l *lab) scene {
	m := l.classic()
	l.run(plan{payer: m.bob, instructions: []sdk.Instruction{giveAway(m.program, m.payee, m.bob.PublicKey(), m.carol.PublicKey())}})
	return scene{plan{payer: m.alice, instructions: []sdk.Instruction{m.checked(6 * million)}}, []expectation{
		m.pays(6*million, settlement.PayeeMismatch, "it is carol's account"),
		m.pays(6*million, settlement.PayeeMismatch, "hers, but not her associated one").with(func(x *expectation) { x.Payee = m.carol.PublicKey().String() }),
	}}
})

var _ = scenario("given-away-after", "Both accounts change hands behind the transfer in the same transaction.", func(l *lab) scene {
	m := l.classic()
	alice, bob, carol, dan := m.alice.PublicKey(), m.bob.PublicKey(), m.carol.PublicKey(), m.dan.PublicKey()
	return scene{plan{payer: m.alice, signers: []sdk.PrivateKey{m.bob}, instructions: []sdk.Instruction{
		m.checked(6 * million), giveAway(m.program, m.payee, bob, carol), giveAway(m.program, m.payer, alice, dan),
	}}, []expectation{
		m.pays(6*million, settlement.PayeeMismatch, "the payee has it no more"),
		m.pays(6*million, settlement.Verified, "any account of carol's counts; the payer is who owned it before").with(func(x *expectation) {
			x.Payee, x.AnyAccount = carol.String(), true
		}),
		m.pays(6*million, settlement.PayerMismatch, "who owns it after").with(func(x *expectation) {
			x.Payee, x.Payer, x.AnyAccount = carol.String(), dan.String(), true
		}),
	}}
})

var _ = scenario("other-account", "Into an account of the payee that is not the associated one.", func(l *lab) scene {
	m := l.classic()
	other := newKey(l.t)
	bob := m.bob.PublicKey()
	l.run(plan{payer: m.alice, signers: []sdk.PrivateKey{other}, instructions: []sdk.Instruction{
		createAccount(m.alice.PublicKey(), other.PublicKey(), accountLength, m.program),
		instruct(m.program, join([]byte{18}, bob[:]), rw(other.PublicKey()), ro(m.mint)),
	}})
	return scene{plan{payer: m.alice, instructions: []sdk.Instruction{
		transferPlain(m.program, m.payer, other.PublicKey(), m.alice.PublicKey(), 6*million),
	}}, []expectation{
		m.pays(6*million, settlement.PayeeMismatch, "not the associated account"),
		m.pays(6*million, settlement.Verified, "the policy takes any account").with(func(x *expectation) { x.AnyAccount = true }),
	}}
})

var _ = scenario("two-to-one", "Two equal payments to one payee.", func(l *lab) scene {
	m := l.classic()
	return scene{plan{payer: m.alice, instructions: []sdk.Instruction{m.checked(6 * million), m.checked(6 * million)}}, []expectation{
		m.pays(6*million, settlement.Verified, "the lowest").with(func(x *expectation) { x.Position = "ix/0" }),
		m.pays(6*million, settlement.Verified, "the next").with(func(x *expectation) { x.Position, x.Used = "ix/1", []string{"ix/0"} }),
		m.pays(6*million, settlement.TransferAlreadyUsed, "both are used").with(func(x *expectation) { x.Used = []string{"ix/0", "ix/1"} }),
		m.pays(12*million, settlement.AmountMismatch, "nothing is added up").with(func(x *expectation) { x.Detail = settlement.Under }),
	}}
})

var _ = scenario("hops", "The same sum passes from the payer through another wallet to the payee.", func(l *lab) scene {
	m := l.classic()
	carol := m.carol.PublicKey()
	between := ata(carol, m.program, m.mint)
	l.run(plan{payer: m.alice, instructions: []sdk.Instruction{createAssociated(m.alice.PublicKey(), carol, m.program, m.mint)}})
	return scene{plan{payer: m.alice, signers: []sdk.PrivateKey{m.carol}, instructions: []sdk.Instruction{
		transferPlain(m.program, m.payer, between, m.alice.PublicKey(), 6*million),
		transferPlain(m.program, between, m.payee, carol, 6*million),
	}}, []expectation{
		m.pays(6*million, settlement.PayerMismatch, "payer and payee stand in different transfers"),
		m.pays(6*million, settlement.Verified, "the last hop's payer").with(func(x *expectation) { x.Payer = carol.String() }),
		m.pays(6*million, settlement.AmountMismatch, "nothing stays in between").with(func(x *expectation) {
			x.Payee, x.Detail = carol.String(), settlement.Returned
		}),
	}}
})

var _ = scenario("mint-and-burn", "Tokens are minted and burned around the payment.", func(l *lab) scene {
	m := l.classic()
	alice := m.alice.PublicKey()
	return scene{plan{payer: m.alice, instructions: []sdk.Instruction{
		mintTo(m.program, m.mint, m.payer, alice, 50*million), m.checked(6 * million),
		instruct(m.program, join([]byte{8}, u64(20*million)), rw(m.payer), rw(m.mint), signer(alice)),
	}}, []expectation{m.pays(6*million, settlement.Verified, "the sums take both into account")}}
})

var _ = scenario("minted-to-payee", "Tokens are minted to the payee beside a smaller payment.", func(l *lab) scene {
	m := l.classic()
	return scene{plan{payer: m.alice, instructions: []sdk.Instruction{
		mintTo(m.program, m.mint, m.payee, m.alice.PublicKey(), 50*million), m.checked(6 * million),
	}}, []expectation{
		m.pays(6*million, settlement.Verified, "the payment"),
		m.pays(56*million, settlement.AmountMismatch, "minting is no payment").with(func(x *expectation) { x.Detail = settlement.Under }),
	}}
})

var _ = scenario("memo", "A payment with a memo.", func(l *lab) scene {
	m := l.classic()
	with := func(code settlement.Code, memo, why string) expectation {
		return m.pays(6*million, code, why).with(func(x *expectation) { x.Memo = memo })
	}
	return scene{plan{payer: m.alice, instructions: []sdk.Instruction{memo("order-42"), m.checked(6 * million)}}, []expectation{
		with(settlement.Verified, "order-42", "exactly"),
		with(settlement.Verified, "", "none demanded"),
		with(settlement.ReferenceMismatch, "order-4", "a part of it"),
		with(settlement.ReferenceMismatch, "order-43", "another"),
		with(settlement.PayerMismatch, "order-42", "a memo replaces no payer").with(func(x *expectation) { x.Payer = m.carol.PublicKey().String() }),
	}}
})

var _ = scenario("reference", "Two payments to one payee, the second with a reference key.", func(l *lab) scene {
	m := l.classic()
	reference, other := newKey(l.t).PublicKey(), newKey(l.t).PublicKey()
	demand := func(code settlement.Code, key sdk.PublicKey, why string) expectation {
		return m.pays(6*million, code, why).with(func(x *expectation) { x.Reference = key.String() })
	}
	return scene{plan{payer: m.alice, instructions: []sdk.Instruction{m.checked(6 * million), m.checked(6*million, ro(reference)), instruct(sdk.MemoProgramID, []byte("x"))}}, []expectation{
		demand(settlement.Verified, reference, "among the accounts of that instruction").with(func(x *expectation) { x.Position = "ix/1" }),
		demand(settlement.ReferenceMismatch, other, "nowhere"),
		demand(settlement.ReferenceMismatch, m.mint, "an account that the transfer needs is no reference"),
	}}
})

var _ = scenario("sol-reference", "SOL with a reference key.", func(l *lab) scene {
	keys := l.wallets(2)
	alice, bob, reference := keys[0].PublicKey(), keys[1].PublicKey(), newKey(l.t).PublicKey()
	return scene{plan{payer: keys[0], instructions: []sdk.Instruction{payLamports(alice, bob, sol, ro(reference))}}, []expectation{
		native(alice, bob, sol, settlement.Verified, "named").with(func(x *expectation) { x.Reference = reference.String() }),
	}}
})

var _ = scenario("durable-nonce", "A payment behind AdvanceNonceAccount, its blockhash the nonce.", func(l *lab) scene {
	m := l.classic()
	alice, nonce := m.alice.PublicKey(), newKey(l.t)
	const nonceLength = 80
	l.run(plan{payer: m.alice, signers: []sdk.PrivateKey{nonce}, instructions: []sdk.Instruction{
		createAccount(alice, nonce.PublicKey(), nonceLength, sdk.SystemProgramID),
		instruct(sdk.SystemProgramID, join(u32(6), alice[:]), rw(nonce.PublicKey()), ro(sdk.SysVarRecentBlockHashesPubkey), ro(sdk.SysVarRentPubkey)),
	}})
	chain := l.chain(Token{Token: settlement.Token{Symbol: "SOL", Decimals: 9}})
	_, data, err := (&session{Session: chain.rpc.At(chain.rpc.Endpoints[0]), chain: chain}).account(l.t.Context(), addressOf(nonce.PublicKey()))
	if err != nil || len(data) != nonceLength {
		l.t.Fatalf("the nonce account holds %d bytes: %v", len(data), err)
	}
	return scene{plan{payer: m.alice, blockhash: sdk.Hash(data[40:72]), instructions: []sdk.Instruction{
		instruct(sdk.SystemProgramID, u32(4), rw(nonce.PublicKey()), ro(sdk.SysVarRecentBlockHashesPubkey), signer(alice)),
		m.checked(6 * million),
	}}, []expectation{m.pays(6*million, settlement.Verified, "its place is free").with(func(x *expectation) { x.Position = "ix/1" })}}
})

var _ = scenario("nonce-withdrawal", "Lamports leave a nonce account: no transfer.", func(l *lab) scene {
	keys := l.wallets(2)
	alice, bob, nonce := keys[0].PublicKey(), keys[1].PublicKey(), newKey(l.t)
	l.run(plan{payer: keys[0], signers: []sdk.PrivateKey{nonce}, instructions: []sdk.Instruction{
		createAccount(alice, nonce.PublicKey(), 80, sdk.SystemProgramID),
		instruct(sdk.SystemProgramID, join(u32(6), alice[:]), rw(nonce.PublicKey()), ro(sdk.SysVarRecentBlockHashesPubkey), ro(sdk.SysVarRentPubkey)),
	}})
	return scene{plan{payer: keys[0], instructions: []sdk.Instruction{
		instruct(sdk.SystemProgramID, join(u32(5), u64(rent(80))), rw(nonce.PublicKey()), rw(bob), ro(sdk.SysVarRecentBlockHashesPubkey), ro(sdk.SysVarRentPubkey), signer(alice)),
	}}, []expectation{native(nonce.PublicKey(), bob, rent(80), settlement.NoTransfer, "not a transfer")}}
})

var _ = scenario("lookup-table", "Version 0, the payee's account out of a lookup table.", func(l *lab) scene {
	m := l.classic()
	alice := m.alice.PublicKey()
	var slot uint64
	l.call(&slot, "getSlot", map[string]string{"commitment": "finalized"})
	lookup := sdk.MustPublicKeyFromBase58("AddressLookupTab1e1111111111111111111111111")
	table, bump, err := sdk.FindProgramAddress([][]byte{alice[:], u64(slot)}, lookup)
	if err != nil {
		l.t.Fatal(err)
	}
	l.run(plan{payer: m.alice, instructions: []sdk.Instruction{
		instruct(lookup, join(u32(0), u64(slot), []byte{bump}), rw(table), signer(alice), payerOf(alice), ro(sdk.SystemProgramID)),
		instruct(lookup, join(u32(2), u64(2), m.payee[:], m.mint[:]), rw(table), signer(alice), payerOf(alice), ro(sdk.SystemProgramID)),
	}})
	l.run(plan{payer: m.alice, instructions: []sdk.Instruction{memo("a table can be used from the next slot on")}})
	return scene{plan{
		payer: m.alice, instructions: []sdk.Instruction{m.checked(6 * million)},
		options: []sdk.TransactionOption{sdk.TransactionAddressTables(map[sdk.PublicKey]sdk.PublicKeySlice{table: {m.payee, m.mint}})},
	}, []expectation{m.pays(6*million, settlement.Verified, "addresses out of meta.loadedAddresses")}}
})

var _ = scenario("version-0", "Version 0 without a lookup table.", func(l *lab) scene {
	m := l.classic()
	return scene{plan{
		payer: m.alice, instructions: []sdk.Instruction{m.checked(6 * million)},
		options: []sdk.TransactionOption{sdk.TransactionMessageVersion(sdk.MessageVersionV0)},
	}, []expectation{m.pays(6*million, settlement.Verified, "like any other")}}
})

var _ = scenario("failed", "A payment of more than there is.", func(l *lab) scene {
	m := l.classic()
	return scene{plan{payer: m.alice, instructions: []sdk.Instruction{m.checked(6 * million), m.checked(5000 * million)}}, []expectation{
		m.pays(6*million, settlement.TxFailed, "all or nothing"),
	}}
})

// What this runtime does not have is said, not passed over: the recordings of it are made by hand (made_test.go).
func TestRuntimeLacks(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	m := l.classic()
	part := func(data []byte) []byte { return append([]byte{4, byte(len(data))}, data...) }
	data := join([]byte{12}, u64(million), []byte{digits6})
	accounts := []*sdk.AccountMeta{rw(m.payer), ro(m.mint), rw(m.payee), signer(m.alice.PublicKey())}
	for name, p := range map[string]plan{
		"batch": {payer: m.alice, instructions: []sdk.Instruction{
			instruct(m.program, join([]byte{255}, part(data), part(data)), append(accounts, accounts...)...),
		}},
		"version 1": {payer: m.alice, instructions: []sdk.Instruction{m.checked(million)}, options: []sdk.TransactionOption{
			sdk.TransactionV1Config(sdk.TransactionConfig{}.WithComputeUnitLimit(200_000).WithLoadedAccountsDataSizeLimit(1 << 20)),
		}},
	} {
		signature, err := l.send(p)
		if err != nil {
			t.Logf("%s: the node refuses it: %v", name, err)
			continue
		}
		if l.await(signature, "confirmed") {
			t.Logf("%s: the runtime refuses it", name)
			continue
		}
		t.Errorf("%s: this runtime has it now: make a scenario of %s", name, signature)
	}
}
