package solana

import (
	"errors"
	"slices"
	"strings"
	"testing"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/internal/devnet"
)

func feeExtension(authority sdk.PublicKey) extension { // 4 %
	return extension{108, slices.Concat([]byte{26, 0, 1}, authority[:], []byte{1}, authority[:], []byte{400 % 256, 400 / 256}, u64(1<<40))}
}

// What both parties get arrives, the token account is closed, its rent goes where it shall, and a second copy fails.
func TestReleaseOfTokensPaysOnce(t *testing.T) {
	for name, c := range map[string]struct {
		program  sdk.PublicKey
		withheld uint64 // of 10,000
	}{"SPL Token": {sdk.TokenProgramID, 0}, "Token-2022": {sdk.Token2022ProgramID, 0}, "Token-2022 that withholds a fee": {sdk.Token2022ProgramID, 400}} {
		t.Run(name, func(t *testing.T) {
			l := startLab(t)
			var extensions []extension
			if c.withheld > 0 {
				extensions = append(extensions, feeExtension(l.node.Purse().PublicKey()))
			}
			token := l.mint(c.program, extensions...)
			l.deposit(token, 1_000_000)
			held := 1_000_000 - 100*c.withheld
			payer, payee := l.payer.PublicKey(), l.payee.PublicKey()
			if got := l.units(token, l.vault.Address()); got != held {
				t.Fatalf("the vault holds %d, want %d", got, held)
			}
			rent := l.lamports(payer)
			r := l.release(token, Leg{payee, 700_000}, Leg{payer, held - 700_000}) // the payee's account is absent
			tx := l.carryOut(r)
			check := func() {
				t.Helper()
				arrives := func(sent uint64) uint64 { return sent - (sent*c.withheld+9999)/10_000 }
				if got, want := l.units(token, payee), arrives(700_000); got != want {
					t.Errorf("the payee has %d, want %d", got, want)
				}
				if got, want := l.units(token, payer), arrives(held-700_000); got != want {
					t.Errorf("the payer has %d, want %d", got, want)
				}
				account := made(token).Account(l.vault.Address())
				if l.accounts(account)[account] != nil {
					t.Error("the token account was not closed")
				}
				if got := l.lamports(payer) - rent; got < RentExempt(165) {
					t.Errorf("%d lamports of rent came back", got)
				}
			}
			check()
			l.refusesCopy(tx)
			check()
			if _, err := l.build(r); !isRefusal(err, RefusedVault) {
				t.Errorf("built once more: %v", err)
			}
		})
	}
}

func isRefusal(err error, code RefusalCode) bool {
	refusal, ok := errors.AsType[*Refusal](err)
	return ok && refusal.Code == code
}

func TestReleaseOfSOLPaysOnce(t *testing.T) {
	l := startLab(t)
	payer, payee, vault := l.payer.PublicKey(), l.payee.PublicKey(), l.vault.Address()
	l.run([]sdk.PrivateKey{l.payer}, devnet.SolanaTransfer(payer, vault, 3_000_000))
	before := l.lamports(payer)
	tx := l.carryOut(l.release(Token{}, Leg{payee, 2_000_000}, Leg{payer, 1_000_000}))
	check := func() {
		t.Helper()
		if p, q, v := l.lamports(payee), l.lamports(payer)-before, l.lamports(vault); p != 2_000_000 || q != 1_000_000 || v != 0 {
			t.Errorf("the payee has %d, the payer %d more, the vault %d", p, q, v)
		}
	}
	check()
	l.refusesCopy(tx)
	check()
}

// A lamport above the price goes to the payer where he has an account, and is burnt where he has none.
func TestDustOfSOLHoldsUpNoRelease(t *testing.T) {
	for name, known := range map[string]bool{"the payer has an account": true, "the payer has none": false} {
		t.Run(name, func(t *testing.T) {
			l := startLab(t)
			payer, payee, vault := l.payer.PublicKey(), l.payee.PublicKey(), l.vault.Address()
			l.run([]sdk.PrivateKey{l.payer}, devnet.SolanaTransfer(payer, vault, 2_000_001))
			if !known {
				stranger, err := devnet.NewSolanaKey()
				if err != nil {
					t.Fatal(err)
				}
				payer = stranger.PublicKey()
			}
			before := l.lamports(payer)
			r := l.release(Token{}, Leg{payee, 2_000_000}, Leg{payer, 1})
			if _, err := l.build(r); isRefusal(err, RefusedRent) == known {
				t.Errorf("as no dust: %v", err)
			}
			r.Dust = payer
			tx := l.carryOut(r)
			l.refusesCopy(tx)
			got := l.lamports(payer) - before
			if burnt := slices.Contains(tx.Message.AccountKeys, incinerator); burnt == known || got == 1 != known || l.lamports(payee) != 2_000_000 || l.lamports(vault) != 0 {
				t.Errorf("the payee has %d, the payer %d more, the vault %d; burnt %t", l.lamports(payee), got, l.lamports(vault), burnt)
			}
		})
	}
}

// One base unit that arrives after the release was built keeps the account from closing: nothing moves, and the next
// release takes it along.
func TestMoneyThatComesInBetween(t *testing.T) {
	l := startLab(t)
	token := l.mint(sdk.TokenProgramID)
	l.deposit(token, 1_000_000)
	tx, err := l.build(l.release(token, Leg{l.payee.PublicKey(), 1_000_000}))
	if err != nil {
		t.Fatal(err)
	}
	l.deposit(token, 1)
	if reason := l.send(tx); !strings.Contains(reason, "InstructionError") {
		t.Errorf("the release: %q", reason)
	}
	if got := l.units(token, l.payee.PublicKey()); got != 0 {
		t.Errorf("the payee has %d", got)
	}
	if _, err := l.build(l.release(token, Leg{l.payee.PublicKey(), 1_000_000})); !isRefusal(err, RefusedBalance) {
		t.Errorf("without the unit: %v", err)
	}
	r := l.release(token, Leg{l.payee.PublicKey(), 1_000_000})
	r.Burn = 1
	l.refusesCopy(l.carryOut(r))
	if got := l.units(token, l.payee.PublicKey()); got != 1_000_000 {
		t.Errorf("the payee has %d", got)
	}
}

func TestMemoWhereItIsDemanded(t *testing.T) {
	l := startLab(t)
	token := l.mint(sdk.Token2022ProgramID)
	l.deposit(token, 1_000_000)
	payee, purse, account := l.payee.PublicKey(), l.node.Purse().PublicKey(), made(token).Account(l.payee.PublicKey())
	l.run([]sdk.PrivateKey{l.payee}, made(token).Open(purse, payee),
		sdk.NewInstruction(token.Program, sdk.AccountMetaSlice{rw(account), rw(purse).SIGNER(), sdk.Meta(sdk.SystemProgramID), sdk.Meta(payee).SIGNER()}, []byte{29, 8, 0}),
		sdk.NewInstruction(token.Program, sdk.AccountMetaSlice{rw(account), sdk.Meta(payee).SIGNER()}, []byte{30, 0}))
	tx := l.carryOut(l.release(token, Leg{payee, 600_000}, Leg{l.payer.PublicKey(), 400_000}))
	memos := 0
	for _, instruction := range tx.Message.Instructions {
		if string(instruction.Data) == "settler 0192/1" {
			memos++
		}
	}
	if got := l.units(token, payee); got != 600_000 || memos != 1 {
		t.Errorf("the payee has %d, %d memos", got, memos)
	}
}

// A release that leaves money behind stands on a durable nonce, which its second copy finds used.
func TestPartialReleaseStandsOnANonce(t *testing.T) {
	l := startLab(t)
	token := l.mint(sdk.TokenProgramID)
	l.deposit(token, 1_000_000)
	part := l.release(token, Leg{l.payee.PublicKey(), 300_000})
	if _, err := l.build(part); !isRefusal(err, RefusedBalance) {
		t.Fatalf("without a nonce: %v", err)
	}
	nonce, err := devnet.NewSolanaKey()
	if err != nil {
		t.Fatal(err)
	}
	purse := l.node.Purse().PublicKey()
	const nonceLength = 80
	l.run([]sdk.PrivateKey{nonce},
		sdk.NewInstruction(sdk.SystemProgramID, sdk.AccountMetaSlice{rw(purse).SIGNER(), rw(nonce.PublicKey()).SIGNER()},
			slices.Concat(make([]byte, 4), u64(RentExempt(nonceLength)), u64(nonceLength), make([]byte, 32))),
		sdk.NewInstruction(sdk.SystemProgramID, sdk.AccountMetaSlice{rw(nonce.PublicKey()), sdk.Meta(sdk.SysVarRecentBlockHashesPubkey), sdk.Meta(sdk.SysVarRentPubkey)},
			slices.Concat([]byte{6, 0, 0, 0}, purse[:])))
	value := func() sdk.Hash {
		return sdk.HashFromBytes(l.accounts(nonce.PublicKey())[nonce.PublicKey()].Data[40:72])
	}
	part.Nonce = nonce.PublicKey()
	keys, err := part.Accounts()
	if err != nil {
		t.Fatal(err)
	}
	tx, err := part.Build(l.accounts(keys...), value())
	if err != nil {
		t.Fatal(err)
	}
	if reason := l.send(tx); reason != "" {
		t.Fatalf("the release failed: %s", reason)
	}
	check := func() {
		t.Helper()
		if p, v := l.units(token, l.payee.PublicKey()), l.units(token, l.vault.Address()); p != 300_000 || v != 700_000 {
			t.Errorf("the payee has %d, the vault %d", p, v)
		}
	}
	check()
	again, err := part.Build(l.accounts(keys...), tx.Message.RecentBlockhash)
	if err != nil {
		t.Fatal(err)
	}
	again.Message.Instructions[1].Data = append(sdk.Base58{}, again.Message.Instructions[1].Data...)
	again.Message.Instructions[1].Data[1] ^= 1 // another signature, the same nonce
	if reason := l.send(again, "confirmed"); !strings.Contains(reason, "BlockhashNotFound") {
		t.Errorf("a second copy: %q", reason)
	}
	check()
}

// Each mint is a real one; what its extensions allow somebody decides whether money may be held in it.
func TestMintsThatMayInterfere(t *testing.T) {
	l := startLab(t)
	purse, none := l.node.Purse().PublicKey(), sdk.PublicKey{}
	hook := sdk.MemoProgramID
	for name, c := range map[string]struct {
		extension extension
		allow     string // what lets it pass; "" when nothing does
		want      string
	}{
		"permanent delegate": {extension{32, slices.Concat([]byte{35}, purse[:])}, "PermanentDelegate", "PermanentDelegate is not allowed"},
		"hook":               {extension{64, slices.Concat([]byte{36, 0}, none[:], hook[:])}, "", "has a say in each transfer"},
		"hook to come":       {extension{64, slices.Concat([]byte{36, 0}, purse[:], none[:])}, "TransferHook", "TransferHook is not allowed"},
		"pausable":           {extension{33, slices.Concat([]byte{44, 0}, purse[:])}, "Pausable", "Pausable is not allowed"},
		"frozen by default":  {extension{1, []byte{28, 0, 2}}, "DefaultAccountState", "DefaultAccountState is not allowed"},
		"not transferable":   {extension{0, []byte{32}}, "", "cannot be transferred"},
		"confidential":       {extension{65, slices.Concat([]byte{27, 0}, purse[:], []byte{1}, none[:])}, "ConfidentialTransferMint", "ConfidentialTransferMint is not allowed"},
		"fee":                {feeExtension(purse), "TransferFeeConfig", ""},
	} {
		token := l.mint(sdk.Token2022ProgramID, c.extension)
		mint := l.accounts(token.Mint)[token.Mint]
		err := token.CheckMint(mint)
		if c.want == "" && err != nil || c.want != "" && (!isRefusal(err, RefusedMint) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		token.Allowed = []string{"PermanentDelegate", "TransferHook", "Pausable", "DefaultAccountState", "NonTransferable", "ConfidentialTransferMint"}
		if err := token.CheckMint(mint); (err == nil) != (c.allow != "") {
			t.Errorf("%s, all allowed: %v", name, err)
		}
		if c.allow != "" {
			token.Allowed = []string{c.allow}
			if err := token.CheckMint(mint); err != nil {
				t.Errorf("%s, allowed: %v", name, err)
			}
		}
		if name == "pausable" {
			l.run(nil, sdk.NewInstruction(token.Program, sdk.AccountMetaSlice{rw(token.Mint), sdk.Meta(purse).SIGNER()}, []byte{44, 1}))
			if err := token.CheckMint(l.accounts(token.Mint)[token.Mint]); !isRefusal(err, RefusedMint) || !strings.Contains(err.Error(), "paused") {
				t.Errorf("paused: %v", err)
			}
		}
	}
	token := l.mint(sdk.TokenProgramID)
	mint := l.accounts(token.Mint)[token.Mint]
	for name, c := range map[string]struct {
		change func(*Token)
		mint   *Account
	}{
		"no mint":         {func(*Token) {}, nil},
		"other decimals":  {func(token *Token) { token.Decimals = 9 }, mint},
		"another program": {func(token *Token) { token.Program = sdk.Token2022ProgramID }, mint},
		"no program":      {func(token *Token) { token.Program = sdk.SystemProgramID }, &Account{Program: sdk.SystemProgramID, Data: mint.Data}},
		"no data":         {func(*Token) {}, &Account{Program: sdk.TokenProgramID}},
	} {
		changed := token
		c.change(&changed)
		if err := changed.CheckMint(c.mint); !isRefusal(err, RefusedMint) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Destinations at which money would be stuck or somebody else's, made so on the real node.
func TestDestinationsThatAreRefused(t *testing.T) {
	l := startLab(t)
	token := l.mint(sdk.TokenProgramID)
	l.deposit(token, 1_000_000)
	purse := l.node.Purse().PublicKey()
	// wallet is one whose account was changed by an instruction that its owner signs, or the purse does.
	wallet := func(change func(owner, account sdk.PublicKey) sdk.Instruction, signs bool) sdk.PublicKey {
		key, err := devnet.NewSolanaKey()
		if err != nil {
			t.Fatal(err)
		}
		var signers []sdk.PrivateKey
		if signs {
			signers = append(signers, key)
		}
		l.run(signers, made(token).Open(purse, key.PublicKey()), change(key.PublicKey(), made(token).Account(key.PublicKey())))
		return key.PublicKey()
	}
	frozen := wallet(func(_, account sdk.PublicKey) sdk.Instruction {
		return sdk.NewInstruction(token.Program, sdk.AccountMetaSlice{rw(account), sdk.Meta(token.Mint), sdk.Meta(purse).SIGNER()}, []byte{10})
	}, false)
	givenAway := wallet(func(owner, account sdk.PublicKey) sdk.Instruction {
		return sdk.NewInstruction(token.Program, sdk.AccountMetaSlice{rw(account), sdk.Meta(owner).SIGNER()}, slices.Concat([]byte{6, 2, 1}, purse[:]))
	}, true)
	for name, c := range map[string]struct {
		to   sdk.PublicKey
		want string
	}{
		"frozen":          {frozen, "Frozen"},
		"given away":      {givenAway, "belongs to " + purse.String()},
		"a token account": {made(token).Account(l.payer.PublicKey()), "not a wallet"},
		"a mint":          {token.Mint, "not a wallet"},
	} {
		_, err := l.build(l.release(token, Leg{c.to, 1_000_000}))
		if !isRefusal(err, RefusedDestination) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l.run(nil, devnet.SolanaTransfer(purse, l.vault.Address(), 1_000_000))
	if _, err := l.build(l.release(Token{}, Leg{made(token).Account(l.payer.PublicKey()), 1_000_000})); !isRefusal(err, RefusedDestination) {
		t.Errorf("SOL to a token account: %v", err)
	}

	frozenByDefault := l.mint(sdk.Token2022ProgramID, extension{1, []byte{28, 0, 2}})
	frozenByDefault.Allowed = []string{"DefaultAccountState"}
	kit := made(frozenByDefault)
	l.run(nil, kit.Open(purse, l.vault.Address()),
		sdk.NewInstruction(kit.Program, sdk.AccountMetaSlice{rw(kit.Account(l.vault.Address())), sdk.Meta(kit.Mint), sdk.Meta(purse).SIGNER()}, []byte{11}),
		sdk.NewInstruction(kit.Program, sdk.AccountMetaSlice{rw(kit.Mint), rw(kit.Account(l.vault.Address())), sdk.Meta(purse).SIGNER()}, append([]byte{7}, u64(5)...)))
	if _, err := l.build(l.release(frozenByDefault, Leg{l.payee.PublicKey(), 5})); !isRefusal(err, RefusedDestination) || !strings.Contains(err.Error(), "would be frozen") {
		t.Errorf("an account that would be frozen: %v", err)
	}
	l.run(nil, sdk.NewInstruction(kit.Program, sdk.AccountMetaSlice{rw(kit.Account(l.vault.Address())), sdk.Meta(kit.Mint), sdk.Meta(purse).SIGNER()}, []byte{10}))
	if _, err := l.build(l.release(frozenByDefault, Leg{l.payee.PublicKey(), 5})); !isRefusal(err, RefusedVault) {
		t.Errorf("a frozen vault: %v", err)
	}
}

func TestReleasesThatAreNotBuilt(t *testing.T) {
	t.Parallel()
	vault, payer, payee, feePayer := sdk.PublicKey{1}, sdk.PublicKey{2}, sdk.PublicKey{3}, sdk.PublicKey{4}
	wallet := func(lamports uint64) *Account { return &Account{Program: sdk.SystemProgramID, Lamports: lamports} }
	good := func() (Release, map[sdk.PublicKey]*Account) {
		return Release{Vault: vault, Legs: []Leg{{payee, 2_000_000}, {payer, 1_000_000}}, Memo: "m", FeePayer: feePayer, RentTo: payer},
			map[sdk.PublicKey]*Account{vault: wallet(3_000_000)}
	}
	r, accounts := good()
	if _, err := r.Build(accounts, sdk.Hash{}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		code   RefusalCode
		change func(*Release, map[sdk.PublicKey]*Account)
	}{
		"no legs":             {RefusedLegs, func(r *Release, _ map[sdk.PublicKey]*Account) { r.Legs = nil }},
		"three legs":          {RefusedLegs, func(r *Release, _ map[sdk.PublicKey]*Account) { r.Legs = append(r.Legs, Leg{sdk.PublicKey{9}, 1}) }},
		"nothing for one":     {RefusedLegs, func(r *Release, _ map[sdk.PublicKey]*Account) { r.Legs[1].Amount = 0 }},
		"one twice":           {RefusedLegs, func(r *Release, _ map[sdk.PublicKey]*Account) { r.Legs[1].To = payee }},
		"the vault itself":    {RefusedLegs, func(r *Release, _ map[sdk.PublicKey]*Account) { r.Legs[1].To = vault }},
		"nobody":              {RefusedLegs, func(r *Release, _ map[sdk.PublicKey]*Account) { r.Legs[1].To = sdk.PublicKey{} }},
		"the vault pays":      {RefusedLegs, func(r *Release, _ map[sdk.PublicKey]*Account) { r.FeePayer = vault }},
		"nobody pays the fee": {RefusedLegs, func(r *Release, _ map[sdk.PublicKey]*Account) { r.FeePayer = sdk.PublicKey{} }},
		"no memo":             {RefusedLegs, func(r *Release, _ map[sdk.PublicKey]*Account) { r.Memo = "" }},
		"a long memo":         {RefusedLegs, func(r *Release, _ map[sdk.PublicKey]*Account) { r.Memo = strings.Repeat("m", maxMemo+1) }},
		"burnt SOL":           {RefusedLegs, func(r *Release, _ map[sdk.PublicKey]*Account) { r.Burn = 1 }},
		"dust of the price": {RefusedLegs, func(r *Release, _ map[sdk.PublicKey]*Account) {
			r.Legs[0].Amount, r.Legs[1].Amount, r.Dust = 2_999_999, 1, payee
		}},
		"dust that is none": {RefusedLegs, func(r *Release, _ map[sdk.PublicKey]*Account) {
			r.Legs, r.Dust = []Leg{{payee, 2_109_120}, {payer, 890_880}}, payer
		}},
		"dust alone": {RefusedLegs, func(r *Release, _ map[sdk.PublicKey]*Account) { r.Legs, r.Dust = []Leg{{payer, 1}}, payer }},
		"dust beside a nonce": {RefusedLegs, func(r *Release, _ map[sdk.PublicKey]*Account) {
			r.Legs[1].Amount, r.Dust, r.Nonce = 1, payer, sdk.PublicKey{8}
		}},
		"dust of a token": {RefusedLegs, func(r *Release, _ map[sdk.PublicKey]*Account) {
			r.Legs[1].Amount, r.Dust, r.Token.Mint = 1, payer, sdk.PublicKey{9}
		}},
		"no vault":               {RefusedVault, func(_ *Release, a map[sdk.PublicKey]*Account) { delete(a, vault) }},
		"a vault with a program": {RefusedVault, func(_ *Release, a map[sdk.PublicKey]*Account) { a[vault].Program = sdk.TokenProgramID }},
		"more than is held":      {RefusedBalance, func(r *Release, _ map[sdk.PublicKey]*Account) { r.Legs[0].Amount++ }},
		"sums that wrap": {RefusedBalance, func(r *Release, _ map[sdk.PublicKey]*Account) {
			r.Legs[0].Amount, r.Legs[1].Amount = 1<<63, 1<<63+3_000_000
		}},
		"something stays": {RefusedBalance, func(r *Release, _ map[sdk.PublicKey]*Account) { r.Legs[0].Amount-- }},
		"too little stays": {RefusedRent, func(r *Release, _ map[sdk.PublicKey]*Account) {
			r.Legs[0].Amount, r.Nonce = 1_109_121, sdk.PublicKey{8}
		}},
		"too little arrives": {RefusedRent, func(r *Release, _ map[sdk.PublicKey]*Account) { r.Legs = []Leg{{payee, 2_109_121}, {payer, 890_879}} }},
		"too little for data": {RefusedRent, func(r *Release, a map[sdk.PublicKey]*Account) {
			a[payer] = &Account{Program: sdk.PublicKey{7}, Lamports: 1, Data: make([]byte, 1000)}
		}},
	} {
		r, accounts := good()
		c.change(&r, accounts)
		if tx, err := r.Build(accounts, sdk.Hash{}); tx != nil || !isRefusal(err, c.code) {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	r, accounts = good()
	r.Legs[1].Amount, r.Legs[0].Amount, r.Nonce = 1_000_000, 1_109_120, sdk.PublicKey{8} // what stays can live
	if _, err := r.Build(accounts, sdk.Hash{}); err != nil {
		t.Error(err)
	}
	accounts[payer] = wallet(890_879) // one lamport is enough for it
	r.Legs[0].Amount, r.Legs[1].Amount = 2_999_999, 1
	if _, err := r.Build(accounts, sdk.Hash{}); err != nil {
		t.Error(err)
	}
}

// The largest release there is: two new accounts, a burn, withheld fees, a nonce. It fits.
func TestLargestRelease(t *testing.T) {
	l := startLab(t)
	token := l.mint(sdk.Token2022ProgramID, feeExtension(l.node.Purse().PublicKey()))
	l.deposit(token, 1_000_000)
	other, err := devnet.NewSolanaKey()
	if err != nil {
		t.Fatal(err)
	}
	r := l.release(token, Leg{l.payee.PublicKey(), 500_000}, Leg{other.PublicKey(), 459_999})
	r.Burn, r.UnitPrice = 1, 1<<40
	tx, err := l.build(r)
	if err != nil {
		t.Fatal(err)
	}
	r.UnitPrice = 1
	raw, err := tx.Message.MarshalBinary()
	t.Logf("%d bytes", len(raw)+129)
	if err != nil || len(raw)+129 > maxTransaction {
		t.Errorf("%v", err)
	}
	tx = l.carryOut(r)
	var done struct {
		Meta struct{ ComputeUnitsConsumed uint64 }
	}
	err = l.node.Call(t.Context(), &done, "getTransaction", tx.Signatures[0].String(), map[string]any{"commitment": "confirmed", "maxSupportedTransactionVersion": 0})
	t.Logf("%d compute units", done.Meta.ComputeUnitsConsumed)
	if err != nil || done.Meta.ComputeUnitsConsumed > UnitLimit*3/4 {
		t.Errorf("%d compute units of %d, %v", done.Meta.ComputeUnitsConsumed, UnitLimit, err)
	}
}

// tokenAccount has 5 units and no extension.
func tokenAccount(t Token, owner sdk.PublicKey) *Account {
	return &Account{Program: t.Program, Data: slices.Concat(t.Mint[:], owner[:], u64(5), make([]byte, 36), []byte{1}, make([]byte, 56))}
}

// fiveUnits is a release of all that tokenAccount holds, and the accounts as they should be.
func fiveUnits(t *testing.T) (Release, map[sdk.PublicKey]*Account, []sdk.PublicKey) {
	t.Helper()
	token := Token{Mint: sdk.PublicKey{1}, Program: sdk.Token2022ProgramID, Decimals: 6}
	r := Release{Vault: sdk.PublicKey{2}, Token: token, Legs: []Leg{{sdk.PublicKey{3}, 5}}, Memo: "m", FeePayer: sdk.PublicKey{4}, RentTo: sdk.PublicKey{4}}
	mint := make([]byte, 82)
	mint[44], mint[45] = 6, 1
	keys, err := r.Accounts()
	if err != nil {
		t.Fatal(err)
	}
	return r, map[sdk.PublicKey]*Account{
		keys[0]: {Program: token.Program, Data: mint}, keys[1]: tokenAccount(token, r.Vault), keys[3]: tokenAccount(token, r.Legs[0].To),
	}, keys
}

// What a node should never tell of an associated account, and what only its owner could have made of it.
func TestTokenAccountsThatAreRefused(t *testing.T) {
	t.Parallel()
	r, accounts, _ := fiveUnits(t)
	if _, err := r.Build(accounts, sdk.Hash{}); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Account){
		"of another program": func(a *Account) { a.Program = sdk.TokenProgramID },
		"of another mint":    func(a *Account) { a.Data[0]++ },
		"of another owner":   func(a *Account) { a.Data[32]++ },
		"frozen":             func(a *Account) { a.Data[108] = 2 },
		"not initialised":    func(a *Account) { a.Data[108] = 0 },
		"short":              func(a *Account) { a.Data = a.Data[:164] },
	} {
		for i, code := range map[int]RefusalCode{1: RefusedVault, 3: RefusedDestination} {
			r, accounts, keys := fiveUnits(t)
			change(accounts[keys[i]])
			if _, err := r.Build(accounts, sdk.Hash{}); !isRefusal(err, code) {
				t.Errorf("%s: %v, want %s", name, err, code)
			}
		}
	}
	for _, lost := range []sdk.PublicKey{r.Vault, {}} {
		r, accounts, _ := fiveUnits(t)
		r.RentTo = lost
		if _, err := r.Build(accounts, sdk.Hash{}); !isRefusal(err, RefusedLegs) {
			t.Errorf("rent to %s: %v", lost, err)
		}
	}
	r, accounts, keys := fiveUnits(t)
	accounts[keys[1]].Data[129] = 1 // somebody else closes it
	if _, err := r.Build(accounts, sdk.Hash{}); !isRefusal(err, RefusedVault) {
		t.Errorf("another close authority: %v", err)
	}
}

// FuzzBuild: no account makes it panic, and what is built pays the legs and nothing else.
func FuzzBuild(f *testing.F) {
	mint := make([]byte, 82)
	mint[44], mint[45] = 6, 1
	token := Token{Mint: sdk.PublicKey{1}, Program: sdk.Token2022ProgramID}
	f.Add(mint, tokenAccount(token, sdk.PublicKey{2}).Data, []byte(nil))
	f.Add(mint, tokenAccount(token, sdk.PublicKey{2}).Data, tokenAccount(token, sdk.PublicKey{3}).Data)
	f.Fuzz(func(t *testing.T, mint, held, there []byte) {
		r, accounts, keys := fiveUnits(t)
		accounts[keys[0]].Data, accounts[keys[1]].Data, accounts[keys[3]].Data = mint, held, there
		if len(there) == 0 {
			delete(accounts, keys[3])
		}
		tx, err := r.Build(accounts, sdk.Hash{})
		if err != nil {
			if _, ok := errors.AsType[*Refusal](err); !ok {
				t.Errorf("got %v", err)
			}
			return
		}
		last := tx.Message.Instructions[len(tx.Message.Instructions)-1]
		if !slices.Equal(last.Data, sdk.Base58{9}) {
			t.Errorf("it does not end by closing the account: %v", last)
		}
	})
}
