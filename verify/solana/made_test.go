package solana

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	sdk "github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/base58"

	"github.com/settler-pay/settler/settlement"
)

// made is an answer made by hand: what no node at hand runs (a batch, version 1) or what no honest node says. Its message is
// really signed, so that it passes where a recorded one would.
type made struct {
	tx            *sdk.Transaction
	fields        map[string]any // of the result
	meta          map[string]any
	before, after map[sdk.PublicKey]held
}

// held is what a token account holds.
type held struct {
	owner, mint, program sdk.PublicKey
	units                uint64
}

// party is a made payment's people and accounts.
type party struct {
	program, mint     sdk.PublicKey
	alice, bob, carol sdk.PrivateKey
	payer, payee      sdk.PublicKey
}

func newParty(t testing.TB, program sdk.PublicKey) *party {
	t.Helper()
	p := &party{program: program, mint: newKey(t).PublicKey(), alice: newKey(t), bob: newKey(t), carol: newKey(t)}
	p.payer, p.payee = ata(p.alice.PublicKey(), program, p.mint), ata(p.bob.PublicKey(), program, p.mint)
	return p
}

func (p *party) claims(units uint64) expectation {
	m := market{program: p.program, mint: p.mint, alice: p.alice, bob: p.bob}
	return m.pays(units, settlement.Verified, "")
}

// make signs the instructions; the payer's account had 1,000 and the payee's nothing, and so many units moved.
func (p *party) make(t testing.TB, moved uint64, instructions []sdk.Instruction, options ...sdk.TransactionOption) *made {
	t.Helper()
	tx, err := sdk.NewTransaction(instructions, sdk.Hash{1}, append(options, sdk.TransactionPayer(p.alice.PublicKey()))...)
	if err != nil {
		t.Fatal(err)
	}
	keys := []sdk.PrivateKey{p.alice, p.bob, p.carol}
	if _, err := tx.Sign(func(public sdk.PublicKey) *sdk.PrivateKey {
		for i := range keys {
			if keys[i].PublicKey() == public {
				return &keys[i]
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	alice, bob := p.alice.PublicKey(), p.bob.PublicKey()
	return &made{
		tx: tx, fields: map[string]any{"slot": 400, "blockTime": 1_800_000_000}, meta: map[string]any{},
		before: map[sdk.PublicKey]held{p.payer: {alice, p.mint, p.program, 1000 * million}, p.payee: {bob, p.mint, p.program, 0}},
		after:  map[sdk.PublicKey]held{p.payer: {alice, p.mint, p.program, 1000*million - moved}, p.payee: {bob, p.mint, p.program, moved}},
	}
}

// result is the answer as getTransaction gives it.
func (m *made) result(t testing.TB) json.RawMessage {
	t.Helper()
	message := map[string]any{
		"accountKeys": m.tx.Message.AccountKeys, "header": m.tx.Message.Header, "recentBlockhash": m.tx.Message.RecentBlockhash,
		"addressTableLookups": []any{},
	}
	var instructions []any
	for _, in := range m.tx.Message.Instructions {
		accounts := make([]int, len(in.Accounts))
		for i, account := range in.Accounts {
			accounts[i] = int(account)
		}
		instructions = append(instructions, map[string]any{
			"programIdIndex": in.ProgramIDIndex, "accounts": accounts, "data": base58.Encode(in.Data), "stackHeight": 1,
		})
	}
	message["instructions"] = instructions
	version := any("legacy")
	switch m.tx.Message.GetVersion() {
	case sdk.MessageVersionV0:
		version = 0
	case sdk.MessageVersionV1:
		version, message["transactionConfig"] = 1, m.tx.Message.TransactionConfig
	}
	balances := func(of map[sdk.PublicKey]held) []any {
		list := []any{}
		for i, k := range m.tx.Message.AccountKeys {
			if h, ok := of[k]; ok {
				list = append(list, map[string]any{
					"accountIndex": i, "mint": h.mint, "owner": h.owner, "programId": h.program,
					"uiTokenAmount": map[string]any{"amount": fmt.Sprint(h.units), "decimals": digits6, "uiAmount": nil, "uiAmountString": "?"},
				})
			}
		}
		return list
	}
	lamports := make([]uint64, len(m.tx.Message.AccountKeys))
	for i := range lamports {
		lamports[i] = 1_000_000
	}
	after := append([]uint64{lamports[0] - 5000}, lamports[1:]...)
	meta := map[string]any{
		"err": nil, "fee": 5000, "preBalances": lamports, "postBalances": after, "preTokenBalances": balances(m.before),
		"postTokenBalances": balances(m.after), "innerInstructions": []any{}, "loadedAddresses": map[string]any{"writable": []any{}, "readonly": []any{}},
	}
	for name, value := range m.meta {
		meta[name] = value
	}
	fields := map[string]any{
		"version": version, "meta": meta, "transaction": map[string]any{"signatures": m.tx.Signatures, "message": message},
	}
	for name, value := range m.fields {
		fields[name] = value
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (m *made) judge(t testing.TB, x expectation) (settlement.Verdict, error) {
	t.Helper()
	return recording{Chain: Mainnet, Signature: m.tx.Signatures[0].String()}.judge(t, x, m.result(t))
}

func (m *made) expect(t *testing.T, x expectation, code settlement.Code, detail, position string) {
	t.Helper()
	v, err := m.judge(t, x)
	if outcome(v, err) != code || v.Detail != detail || position != "" && v.Transfer.Position != position {
		t.Errorf("got %s %q %+v (%v), want %s %q at %q", v.Code, v.Detail, v.Transfer, err, code, detail, position)
	}
}

// batchOf puts instructions of one token program into a batch.
func batchOf(t testing.TB, parts ...sdk.Instruction) sdk.Instruction {
	t.Helper()
	all := []byte{tokenBatch}
	var accounts []*sdk.AccountMeta
	for _, part := range parts {
		data, err := part.Data()
		if err != nil {
			t.Fatal(err)
		}
		all = append(append(all, byte(len(part.Accounts())), byte(len(data))), data...)
		accounts = append(accounts, part.Accounts()...)
	}
	return instruct(parts[0].ProgramID(), all, accounts...)
}

func (p *party) plain(units uint64) sdk.Instruction {
	return transferPlain(p.program, p.payer, p.payee, p.alice.PublicKey(), units)
}

func (p *party) checked(units uint64, more ...*sdk.AccountMeta) sdk.Instruction {
	return transferChecked(p.program, p.payer, p.mint, p.payee, signer(p.alice.PublicKey()), units, digits6, more...)
}

// S-23: several transfers in one instruction of the Token program, without inner instructions.
func TestBatch(t *testing.T) {
	t.Parallel()
	for _, program := range []sdk.PublicKey{sdk.TokenProgramID, sdk.Token2022ProgramID} {
		p := newParty(t, program)
		reference := newKey(t).PublicKey()
		m := p.make(t, 9*million, []sdk.Instruction{memo("x"), batchOf(t, p.plain(2*million), p.checked(3*million, ro(reference)), p.checked(4*million))})
		m.expect(t, p.claims(2*million), settlement.Verified, "", "ix/1#0")
		m.expect(t, p.claims(3*million), settlement.Verified, "", "ix/1#1")
		m.expect(t, p.claims(4*million), settlement.Verified, "", "ix/1#2")
		m.expect(t, p.claims(9*million), settlement.AmountMismatch, settlement.Under, "")
		with := func(x *expectation) { x.Reference = reference.String() }
		m.expect(t, p.claims(3*million).with(with), settlement.Verified, "", "ix/1#1")
		m.expect(t, p.claims(4*million).with(with), settlement.ReferenceMismatch, "", "ix/1#2")
	}
}

// A batch that another program makes has a path of three parts.
func TestInnerBatch(t *testing.T) {
	t.Parallel()
	p := newParty(t, sdk.TokenProgramID)
	router := newKey(t).PublicKey()
	m := p.make(t, 5*million, []sdk.Instruction{instruct(router, []byte{1}, rw(p.payer), rw(p.payee), signer(p.alice.PublicKey()), ro(p.program))})
	index := func(k sdk.PublicKey) int {
		i, err := m.tx.Message.GetAccountIndex(k)
		if err != nil {
			t.Fatal(err)
		}
		return int(i)
	}
	inner, err := batchOf(t, p.plain(2*million), p.plain(3*million)).Data()
	if err != nil {
		t.Fatal(err)
	}
	one := []int{index(p.payer), index(p.payee), index(p.alice.PublicKey())}
	m.meta["innerInstructions"] = []any{map[string]any{"index": 0, "instructions": []any{
		map[string]any{"programIdIndex": index(router), "accounts": []int{}, "data": "", "stackHeight": 2},
		map[string]any{"programIdIndex": index(p.program), "accounts": append(one, one...), "data": base58.Encode(inner), "stackHeight": 2},
	}}}
	m.expect(t, p.claims(3*million), settlement.Verified, "", "ix/0.1#1")
}

func TestBatchInAnUnknownForm(t *testing.T) {
	t.Parallel()
	p := newParty(t, sdk.TokenProgramID)
	whole := batchOf(t, p.plain(2*million))
	data, err := whole.Data()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"cut": data[:len(data)-1], "a byte more": append(data[:len(data):len(data)], 0),
		"more accounts than there are": append([]byte{tokenBatch, 9}, data[2:]...),
	} {
		m := p.make(t, 2*million, []sdk.Instruction{instruct(p.program, data, whole.Accounts()...)})
		if v, err := m.judge(t, p.claims(2*million)); outcome(v, err) != settlement.RPCDecodeFailed {
			t.Errorf("%s: %s (%v)", name, v.Code, err)
		}
	}
}

// S-06: version 1 is live on mainnet; the message carries its configuration itself.
func TestVersion1(t *testing.T) {
	t.Parallel()
	p := newParty(t, sdk.TokenProgramID)
	config := sdk.TransactionConfig{}.WithComputeUnitLimit(20_000)
	for name, config := range map[string]sdk.TransactionConfig{
		"one limit": config, "a fee": config.WithPriorityFee(1 << 40), "all": config.WithPriorityFee(7).WithLoadedAccountsDataSizeLimit(1 << 20).WithHeapSize(65536),
	} {
		t.Run(name, func(t *testing.T) {
			m := p.make(t, 2*million, []sdk.Instruction{p.checked(2 * million)}, sdk.TransactionV1Config(config))
			m.expect(t, p.claims(2*million), settlement.Verified, "", "ix/0")
			m.fields["version"] = 0
			if v, err := m.judge(t, p.claims(2*million)); outcome(v, err) != settlement.RPCInconsistent {
				t.Errorf("as version 0: %s (%v)", v.Code, err)
			}
			m.fields["version"] = 2
			if v, err := m.judge(t, p.claims(2*million)); outcome(v, err) != settlement.RPCDecodeFailed {
				t.Errorf("as version 2, which does not exist yet: %s (%v)", v.Code, err)
			}
		})
	}
}

// S-02: whatever stands in meta.err, the transaction failed.
func TestErrShapes(t *testing.T) {
	t.Parallel()
	p := newParty(t, sdk.TokenProgramID)
	for _, shape := range []string{
		`"AccountInUse"`, `{"InstructionError":[2,{"Custom":1}]}`, `{"InsufficientFundsForRent":{"account_index":1}}`, `{"InstructionError":[0,"InvalidArgument"]}`,
		`{}`, `[]`, `0`, `false`, `""`, `{"Future":{"a":[1,{"b":null}]}}`,
	} {
		m := p.make(t, 0, []sdk.Instruction{p.checked(2 * million)})
		m.meta["err"] = json.RawMessage(shape)
		m.expect(t, p.claims(2*million), settlement.TxFailed, "", "")
	}
}

// S-18: a hook brings accounts of its own, and what it moves besides is not the payment.
func TestTransferHook(t *testing.T) {
	t.Parallel()
	p := newParty(t, sdk.Token2022ProgramID)
	hook, state := newKey(t).PublicKey(), newKey(t).PublicKey()
	m := p.make(t, 2*million, []sdk.Instruction{p.checked(2*million, ro(hook), rw(state), ro(sdk.SystemProgramID))})
	m.expect(t, p.claims(2*million), settlement.Verified, "", "ix/0")
}

// S-21: what moves in confidence is not seen.
func TestConfidentialTransfer(t *testing.T) {
	t.Parallel()
	p := newParty(t, sdk.Token2022ProgramID)
	m := p.make(t, 0, []sdk.Instruction{instruct(p.program, append([]byte{tokenConfidential, 7}, make([]byte, 40)...), rw(p.payer), ro(p.mint), rw(p.payee))})
	m.expect(t, p.claims(2*million), settlement.NoTransfer, "", "")
}

// S-24: anybody prints anything.
func TestLogTextIsNotRead(t *testing.T) {
	t.Parallel()
	p := newParty(t, sdk.TokenProgramID)
	m := p.make(t, 0, []sdk.Instruction{memo("x"), instruct(sdk.ComputeBudget, []byte{2, 0, 0, 0, 0}, rw(p.payer), rw(p.payee))})
	m.meta["logMessages"] = []string{"Program " + classicProgram + " invoke [1]", "Program log: Instruction: TransferChecked", "Program " + classicProgram + " success"}
	m.expect(t, p.claims(2*million), settlement.NoTransfer, "", "")
}

// S-47: a sandbox invents balances: tokens or lamports out of nothing.
func TestInventedBalances(t *testing.T) {
	t.Parallel()
	for _, program := range []sdk.PublicKey{sdk.TokenProgramID, sdk.Token2022ProgramID} {
		p := newParty(t, program)
		m := p.make(t, 2*million, []sdk.Instruction{p.checked(2 * million)})
		rich := m.after[p.payer]
		rich.units += 1
		m.after[p.payer] = rich
		if v, err := m.judge(t, p.claims(2*million)); outcome(v, err) != settlement.RPCInconsistent {
			t.Errorf("tokens out of nothing: %s (%v)", v.Code, err)
		}
	}
}

// S-46: an answer without a version is of a legacy message.
func TestNoVersion(t *testing.T) {
	t.Parallel()
	p := newParty(t, sdk.TokenProgramID)
	m := p.make(t, 2*million, []sdk.Instruction{p.checked(2 * million)})
	raw := strings.Replace(string(m.result(t)), `"version":"legacy"`, `"other":1`, 1)
	v, err := recording{Chain: Mainnet, Signature: m.tx.Signatures[0].String()}.judge(t, p.claims(2*million), json.RawMessage(raw))
	if outcome(v, err) != settlement.Verified {
		t.Errorf("got %s (%v)", v.Code, err)
	}
}
