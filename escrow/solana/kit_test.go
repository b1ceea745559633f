package solana

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/settlement"
)

// One node serves all tests of a run, each with keys of its own.
var (
	nodeOnce sync.Once
	theNode  *devnet.Solana
	nodeErr  error
)

func TestMain(m *testing.M) {
	code := m.Run()
	if theNode != nil {
		if err := theNode.Stop(); err != nil {
			println(err.Error())
			code = 1
		}
	}
	os.Exit(code)
}

// lab is a test's way to the real node, with an order's wallet.
type lab struct {
	t            *testing.T
	node         *devnet.Solana
	vault        Wallet
	payer, payee sdk.PrivateKey
}

func startLab(t *testing.T) *lab {
	t.Helper()
	t.Parallel()
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
	l := &lab{t: t, node: theNode}
	var err error
	l.payer, err = devnet.NewSolanaKey()
	if err == nil {
		l.payee, err = devnet.NewSolanaKey()
	}
	vault := Vault{Marketplace: t.Name(), Genesis: sdk.MustHashFromBase58(theNode.Genesis()), Payment: settlement.PaymentID(l.payer[:16])}
	if err == nil {
		l.vault, err = knownSecret(1, false).Wallet(vault)
	}
	if err == nil {
		err = theNode.Fund(t.Context(), 5*sol, l.payer.PublicKey())
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const sol = 1_000_000_000 // lamports

// run carries out what must succeed, at the purse's cost.
func (l *lab) run(signers []sdk.PrivateKey, instructions ...sdk.Instruction) {
	l.t.Helper()
	if _, err := l.node.Send(l.t.Context(), l.node.Purse(), signers, instructions...); err != nil {
		l.t.Fatal(err)
	}
}

func rw(k sdk.PublicKey) *sdk.AccountMeta { return sdk.Meta(k).WRITE() }

func u64(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

// extension is one of a mint: the length of its state, and what initialises it.
type extension struct {
	length int
	data   []byte
}

// mint makes a mint of 6 decimals with the extensions; the purse is every authority of it.
func (l *lab) mint(program sdk.PublicKey, extensions ...extension) Token {
	l.t.Helper()
	key, err := devnet.NewSolanaKey()
	if err != nil {
		l.t.Fatal(err)
	}
	purse, mint, length := l.node.Purse().PublicKey(), key.PublicKey(), 82
	if len(extensions) > 0 {
		length = 166
	}
	var extend []sdk.Instruction
	for _, e := range extensions {
		length += 4 + e.length
		extend = append(extend, sdk.NewInstruction(program, sdk.AccountMetaSlice{rw(mint)}, e.data))
	}
	create := slices.Concat(make([]byte, 4), u64(RentExempt(length)), u64(uint64(length)), program[:])
	l.run([]sdk.PrivateKey{key}, slices.Concat(
		[]sdk.Instruction{sdk.NewInstruction(sdk.SystemProgramID, sdk.AccountMetaSlice{rw(purse).SIGNER(), rw(mint).SIGNER()}, create)},
		extend,
		[]sdk.Instruction{sdk.NewInstruction(program, sdk.AccountMetaSlice{rw(mint)}, slices.Concat([]byte{20, 6}, purse[:], []byte{1}, purse[:]))},
	)...)
	return Token{Mint: mint, Program: program, Decimals: 6}
}

// made is the token as the development cluster's kit takes it.
func made(t Token) devnet.SolanaToken {
	return devnet.SolanaToken{Mint: t.Mint, Program: t.Program, Decimals: t.Decimals}
}

// deposit has the payer pay units into the vault, by a plain transfer into an account that he makes.
func (l *lab) deposit(t Token, units uint64) {
	l.t.Helper()
	purse, payer, kit := l.node.Purse().PublicKey(), l.payer.PublicKey(), made(t)
	l.run([]sdk.PrivateKey{l.payer}, kit.Open(purse, payer), kit.Open(payer, l.vault.Address()),
		sdk.NewInstruction(t.Program, sdk.AccountMetaSlice{rw(t.Mint), rw(kit.Account(payer)), sdk.Meta(purse).SIGNER()}, append([]byte{7}, u64(units)...)),
		kit.Transfer(payer, l.vault.Address(), units))
}

// release is one of the order's wallet, at the purse's cost.
func (l *lab) release(t Token, legs ...Leg) Release {
	return Release{
		Vault: l.vault.Address(), Token: t, Legs: legs, Memo: "settler 0192/1", FeePayer: l.node.Purse().PublicKey(), RentTo: l.payer.PublicKey(), UnitPrice: 1,
	}
}

// accounts reads accounts as they are; those that do not exist are left out.
func (l *lab) accounts(keys ...sdk.PublicKey) map[sdk.PublicKey]*Account {
	l.t.Helper()
	var answer struct {
		Value []*struct {
			Owner    sdk.PublicKey
			Lamports uint64
			Data     []string
		}
	}
	err := l.node.Call(l.t.Context(), &answer, "getMultipleAccounts", keys, map[string]string{"encoding": "base64", "commitment": "confirmed"})
	if err != nil {
		l.t.Fatal(err)
	}
	out := make(map[sdk.PublicKey]*Account)
	for i, a := range answer.Value {
		if a == nil {
			continue
		}
		data, err := base64.StdEncoding.DecodeString(a.Data[0])
		if err != nil {
			l.t.Fatal(err)
		}
		out[keys[i]] = &Account{Program: a.Owner, Lamports: a.Lamports, Data: data}
	}
	return out
}

func (l *lab) blockhash() sdk.Hash {
	l.t.Helper()
	var recent struct{ Value struct{ Blockhash sdk.Hash } }
	if err := l.node.Call(l.t.Context(), &recent, "getLatestBlockhash", map[string]string{"commitment": "confirmed"}); err != nil {
		l.t.Fatal(err)
	}
	return recent.Value.Blockhash
}

// build makes the transaction of the accounts as they are now.
func (l *lab) build(r Release) (*sdk.Transaction, error) {
	l.t.Helper()
	keys, err := r.Accounts()
	if err != nil {
		l.t.Fatal(err)
	}
	return r.Build(l.accounts(keys...), l.blockhash())
}

// send signs and sends, and gives the reason when the transaction failed in its block, or the node refused it. The node
// tries it first only when it is told the level to do so.
func (l *lab) send(tx *sdk.Transaction, preflight ...string) string {
	l.t.Helper()
	tx.Signatures = nil
	if err := l.vault.Sign(tx); err != nil {
		l.t.Fatal(err)
	}
	purse := l.node.Purse()
	if _, err := tx.PartialSign(func(key sdk.PublicKey) *sdk.PrivateKey {
		if key == purse.PublicKey() {
			return &purse
		}
		return nil
	}); err != nil {
		l.t.Fatal(err)
	}
	wire, err := tx.ToBase64()
	if err != nil {
		l.t.Fatal(err)
	}
	options := map[string]any{"encoding": "base64", "skipPreflight": len(preflight) == 0}
	if len(preflight) > 0 {
		options["preflightCommitment"] = preflight[0]
	}
	var signature sdk.Signature
	if err := l.node.Call(l.t.Context(), &signature, "sendTransaction", wire, options); err != nil {
		return err.Error()
	}
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var status struct {
			Value []*struct {
				Err                json.RawMessage
				ConfirmationStatus string
			}
		}
		if err := l.node.Call(l.t.Context(), &status, "getSignatureStatuses", []string{signature.String()}); err != nil {
			l.t.Fatal(err)
		}
		if s := status.Value[0]; s != nil && s.ConfirmationStatus != "processed" {
			return strings.TrimPrefix(string(s.Err), "null")
		}
	}
	return "in no block after 2 min"
}

// carryOut builds and sends what must succeed.
func (l *lab) carryOut(r Release) *sdk.Transaction {
	l.t.Helper()
	tx, err := l.build(r)
	if err != nil {
		l.t.Fatal(err)
	}
	if reason := l.send(tx); reason != "" {
		l.t.Fatalf("the release failed: %s", reason)
	}
	return tx
}

// refusesCopy sends the same instructions again under another blockhash, which must fail.
func (l *lab) refusesCopy(tx *sdk.Transaction) {
	l.t.Helper()
	message := tx.Message
	for message.RecentBlockhash = l.blockhash(); message.RecentBlockhash == tx.Message.RecentBlockhash; message.RecentBlockhash = l.blockhash() {
		time.Sleep(20 * time.Millisecond)
	}
	if reason := l.send(&sdk.Transaction{Message: message}); !strings.Contains(reason, "InstructionError") {
		l.t.Errorf("a second copy: %q, want an instruction's error", reason)
	}
}

// units is the balance of a wallet's associated account; 0 when there is none.
func (l *lab) units(t Token, wallet sdk.PublicKey) uint64 {
	l.t.Helper()
	account := made(t).Account(wallet)
	a := l.accounts(account)[account]
	if a == nil {
		return 0
	}
	opened, err := t.open(a, wallet)
	if err != nil {
		l.t.Fatal(err)
	}
	return opened.Account.Amount
}

func (l *lab) lamports(wallet sdk.PublicKey) uint64 {
	l.t.Helper()
	if a := l.accounts(wallet)[wallet]; a != nil {
		return a.Lamports
	}
	return 0
}
