package solana

import (
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/internal/devnet"
)

// One node serves all tests of a run, each with keys of its own.
var (
	nodeOnce sync.Once
	theNode  *devnet.Solana
	nodeErr  error
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Scenarios wait for slots, not for processors; fuzzing does not.
	if flag.Lookup("test.fuzz").Value.String() == "" {
		if err := flag.Set("test.parallel", "16"); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	if theNode != nil {
		if err := theNode.Stop(); err != nil {
			println(err.Error())
			code = 1
		}
	}
	os.Exit(code)
}

// lab is a test's way to the real node.
type lab struct {
	t    *testing.T
	node *devnet.Solana
}

func startLab(t *testing.T) *lab {
	t.Helper()
	if _, err := devnet.SolanaValidator(); errors.Is(err, devnet.ErrNoSolana) {
		if os.Getenv("SETTLER_REQUIRE_FIXTURES") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	nodeOnce.Do(func() { theNode, nodeErr = devnet.StartSolana(t.Context(), devnet.SolanaConfig{}) })
	if nodeErr != nil {
		t.Fatal(nodeErr)
	}
	return &lab{t: t, node: theNode}
}

func (l *lab) call(result any, method string, params ...any) {
	l.t.Helper()
	if err := l.node.Call(l.t.Context(), result, method, params...); err != nil {
		l.t.Fatal(err)
	}
}

func newKey(t testing.TB) sdk.PrivateKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return sdk.PrivateKey(private)
}

const sol = 1_000_000_000 // lamports

// wallets makes so many keys with 10 SOL each.
func (l *lab) wallets(n int) []sdk.PrivateKey {
	l.t.Helper()
	keys := make([]sdk.PrivateKey, n)
	var fund []sdk.Instruction
	for i := range keys {
		keys[i] = newKey(l.t)
		fund = append(fund, payLamports(l.node.Purse().PublicKey(), keys[i].PublicKey(), 10*sol))
	}
	l.run(plan{payer: l.node.Purse(), instructions: fund})
	return keys
}

// plan is one transaction to be.
type plan struct {
	payer        sdk.PrivateKey // of the fee
	signers      []sdk.PrivateKey
	instructions []sdk.Instruction
	options      []sdk.TransactionOption
	blockhash    sdk.Hash // zero: a recent one
}

// send signs and sends, and returns the signature. A node that refuses it outright gives an error.
func (l *lab) send(p plan) (sdk.Signature, error) {
	l.t.Helper()
	if p.blockhash.IsZero() {
		var recent struct {
			Value struct{ Blockhash sdk.Hash }
		}
		l.call(&recent, "getLatestBlockhash", map[string]string{"commitment": "confirmed"})
		p.blockhash = recent.Value.Blockhash
	}
	tx, err := sdk.NewTransaction(p.instructions, p.blockhash, append(p.options, sdk.TransactionPayer(p.payer.PublicKey()))...)
	if err != nil {
		l.t.Fatal(err)
	}
	keys := append([]sdk.PrivateKey{p.payer}, p.signers...)
	if _, err := tx.Sign(func(public sdk.PublicKey) *sdk.PrivateKey {
		for i := range keys {
			if keys[i].PublicKey() == public {
				return &keys[i]
			}
		}
		return nil
	}); err != nil {
		l.t.Fatal(err)
	}
	wire, err := tx.ToBase64()
	if err != nil {
		l.t.Fatal(err)
	}
	var signature sdk.Signature
	err = l.node.Call(l.t.Context(), &signature, "sendTransaction", wire, map[string]any{"encoding": "base64", "skipPreflight": true})
	return signature, err
}

// await returns once the transaction is at the level, and whether it failed.
func (l *lab) await(signature sdk.Signature, level string) (failed bool) {
	l.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var status struct {
			Value []*struct {
				Err                json.RawMessage
				ConfirmationStatus string
			}
		}
		l.call(&status, "getSignatureStatuses", []string{signature.String()})
		if s := status.Value[0]; s != nil && (s.ConfirmationStatus == level || s.ConfirmationStatus == "finalized") {
			return string(s.Err) != "null"
		}
	}
	l.t.Fatalf("%s was not %s within 2 min", signature, level)
	return false
}

// run carries out what must succeed.
func (l *lab) run(p plan) sdk.Signature {
	l.t.Helper()
	signature, err := l.send(p)
	if err != nil {
		l.t.Fatal(err)
	}
	if l.await(signature, "confirmed") {
		var tx struct {
			Meta struct{ LogMessages []string }
		}
		l.call(&tx, "getTransaction", signature.String(), map[string]any{"commitment": "confirmed", "maxSupportedTransactionVersion": 1})
		l.t.Fatalf("%s failed:\n%s", signature, strings.Join(tx.Meta.LogMessages, "\n"))
	}
	return signature
}

// answer is what the node says of a final transaction.
func (l *lab) answer(signature sdk.Signature) json.RawMessage {
	l.t.Helper()
	l.await(signature, "finalized")
	var raw json.RawMessage
	l.call(&raw, "getTransaction", signature.String(), map[string]any{
		"encoding": "json", "commitment": "finalized", "maxSupportedTransactionVersion": 1,
	})
	return raw
}

// Instructions, made from their layouts: no library's builder stands between the test and the chain.

func instruct(program sdk.PublicKey, data []byte, accounts ...*sdk.AccountMeta) sdk.Instruction {
	return sdk.NewInstruction(program, accounts, data)
}

func ro(k sdk.PublicKey) *sdk.AccountMeta     { return sdk.Meta(k) }
func rw(k sdk.PublicKey) *sdk.AccountMeta     { return sdk.Meta(k).WRITE() }
func signer(k sdk.PublicKey) *sdk.AccountMeta { return sdk.Meta(k).SIGNER() }
func payerOf(k sdk.PublicKey) *sdk.AccountMeta {
	return sdk.Meta(k).SIGNER().WRITE()
}

func u64(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

func u32(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }

func join(parts ...[]byte) (out []byte) {
	for _, part := range parts {
		out = append(out, part...)
	}
	return out
}

func payLamports(from, to sdk.PublicKey, lamports uint64, more ...*sdk.AccountMeta) sdk.Instruction {
	return instruct(sdk.SystemProgramID, join(u32(2), u64(lamports)), append([]*sdk.AccountMeta{payerOf(from), rw(to)}, more...)...)
}

// rent is what an account of that length must hold.
func rent(length uint64) uint64 { return (length + 128) * 6960 }

func createAccount(payer, fresh sdk.PublicKey, length uint64, owner sdk.PublicKey) sdk.Instruction {
	return instruct(sdk.SystemProgramID, join(u32(0), u64(rent(length)), u64(length), owner[:]), payerOf(payer), payerOf(fresh))
}

func initMint(program, mint, authority sdk.PublicKey, decimals byte) sdk.Instruction {
	return instruct(program, join([]byte{20, decimals}, authority[:], []byte{0}), rw(mint))
}

func mintTo(program, mint, account, authority sdk.PublicKey, units uint64) sdk.Instruction {
	return instruct(program, join([]byte{7}, u64(units)), rw(mint), rw(account), signer(authority))
}

func createAssociated(payer, wallet, program, mint sdk.PublicKey) sdk.Instruction {
	return instruct(sdk.SPLAssociatedTokenAccountProgramID, []byte{1},
		payerOf(payer), rw(ata(wallet, program, mint)), ro(wallet), ro(mint), ro(sdk.SystemProgramID), ro(program))
}

func ata(wallet, program, mint sdk.PublicKey) sdk.PublicKey {
	address, _, err := sdk.FindAssociatedTokenAddressWithProgram(wallet, mint, program)
	if err != nil {
		panic(err)
	}
	return address
}

func transferPlain(program, from, to, authority sdk.PublicKey, units uint64) sdk.Instruction {
	return instruct(program, join([]byte{3}, u64(units)), rw(from), rw(to), signer(authority))
}

func transferChecked(program, from, mint, to sdk.PublicKey, authority *sdk.AccountMeta, units uint64, decimals byte, more ...*sdk.AccountMeta) sdk.Instruction {
	return instruct(program, join([]byte{12}, u64(units), []byte{decimals}),
		append([]*sdk.AccountMeta{rw(from), ro(mint), rw(to), authority}, more...)...)
}

func closeAccount(program, account, to, owner sdk.PublicKey) sdk.Instruction {
	return instruct(program, []byte{9}, rw(account), rw(to), signer(owner))
}

func approve(program, account, delegate, owner sdk.PublicKey, units uint64) sdk.Instruction {
	return instruct(program, join([]byte{4}, u64(units)), rw(account), ro(delegate), signer(owner))
}

// giveAway makes somebody else the owner of a token account.
func giveAway(program, account, owner, heir sdk.PublicKey) sdk.Instruction {
	return instruct(program, join([]byte{6, 2, 1}, heir[:]), rw(account), signer(owner))
}

func memo(text string) sdk.Instruction { return instruct(sdk.MemoProgramID, []byte(text)) }

const (
	digits6 = 6
	million = 1_000_000 // 1.00 of a token with 6 decimals
)

// market is one mint with a payer who has 1,000 and a payee who has an account.
type market struct {
	program, mint          sdk.PublicKey
	alice, bob, carol, dan sdk.PrivateKey
	payer, payee           sdk.PublicKey // alice's and bob's associated accounts
}

// newMarket makes a mint; extend lists instructions that come before the mint is initialised, and its length.
func (l *lab) newMarket(program sdk.PublicKey, length uint64, extend func(mint, authority sdk.PublicKey) []sdk.Instruction) *market {
	l.t.Helper()
	keys := l.wallets(4)
	mint := newKey(l.t)
	m := &market{program: program, mint: mint.PublicKey(), alice: keys[0], bob: keys[1], carol: keys[2], dan: keys[3]}
	alice, bob := m.alice.PublicKey(), m.bob.PublicKey()
	m.payer, m.payee = ata(alice, program, m.mint), ata(bob, program, m.mint)
	make := []sdk.Instruction{createAccount(alice, m.mint, length, program)}
	if extend != nil {
		make = append(make, extend(m.mint, alice)...)
	}
	l.run(plan{payer: m.alice, signers: []sdk.PrivateKey{mint}, instructions: append(make,
		initMint(program, m.mint, alice, digits6),
		createAssociated(alice, alice, program, m.mint), createAssociated(alice, bob, program, m.mint),
		mintTo(program, m.mint, m.payer, alice, 1000*million))})
	return m
}

func (l *lab) classic() *market { return l.newMarket(sdk.TokenProgramID, mintLength, nil) }
