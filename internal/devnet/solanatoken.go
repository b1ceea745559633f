package devnet

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/settlement"
)

// NewSolanaKey makes a wallet.
func NewSolanaKey() (sdk.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(nil)
	return sdk.PrivateKey(key), err
}

// Lengths of a mint of the classic program, and what an account must hold for each of its bytes and 128 more.
const (
	solanaMintLength   = 82
	solanaRentPerByte  = 6960
	solanaRentOverhead = 128
)

// errExpired means that a transaction's blockhash is too old for it to be carried out, and that it was not.
var errExpired = errors.New("the transaction has expired")

// Send signs and sends a transaction with these instructions, whose fee the payer pays, and returns once the cluster
// has voted for it. A transaction that failed is an error. One that has expired, as it does after some seconds where slots
// are fast, is signed again.
func (s *Solana) Send(ctx context.Context, payer sdk.PrivateKey, signers []sdk.PrivateKey, instructions ...sdk.Instruction) (sdk.Signature, error) {
	for {
		signature, err := s.sendOnce(ctx, payer, signers, instructions)
		if !errors.Is(err, errExpired) {
			return signature, err
		}
	}
}

func (s *Solana) sendOnce(ctx context.Context, payer sdk.PrivateKey, signers []sdk.PrivateKey, instructions []sdk.Instruction) (sdk.Signature, error) {
	var recent struct {
		Value struct {
			Blockhash            sdk.Hash
			LastValidBlockHeight uint64
		}
	}
	if err := s.Call(ctx, &recent, "getLatestBlockhash", map[string]string{"commitment": "confirmed"}); err != nil {
		return sdk.Signature{}, err
	}
	tx, err := sdk.NewTransaction(instructions, recent.Value.Blockhash, sdk.TransactionPayer(payer.PublicKey()))
	if err != nil {
		return sdk.Signature{}, fmt.Errorf("make transaction: %w", err)
	}
	keys := append([]sdk.PrivateKey{payer}, signers...)
	if _, err := tx.Sign(func(public sdk.PublicKey) *sdk.PrivateKey {
		i := slices.IndexFunc(keys, func(k sdk.PrivateKey) bool { return k.PublicKey() == public })
		if i < 0 {
			return nil
		}
		return &keys[i]
	}); err != nil {
		return sdk.Signature{}, fmt.Errorf("sign transaction: %w", err)
	}
	wire, err := tx.ToBase64()
	if err != nil {
		return sdk.Signature{}, fmt.Errorf("encode transaction: %w", err)
	}
	var signature sdk.Signature
	if err := s.Call(ctx, &signature, "sendTransaction", wire, map[string]any{"encoding": "base64", "skipPreflight": true}); err != nil {
		return signature, err
	}
	for {
		// The height is read before the status: above the last one that a final block may have, there is nothing left to come.
		var height uint64
		if err := s.Call(ctx, &height, "getBlockHeight", map[string]string{"commitment": "finalized"}); err != nil {
			return signature, err
		}
		var status struct {
			Value []*struct {
				Err                json.RawMessage
				ConfirmationStatus string
			}
		}
		if err := s.Call(ctx, &status, "getSignatureStatuses", []string{signature.String()}, map[string]bool{"searchTransactionHistory": true}); err != nil {
			return signature, err
		}
		switch at := status.Value[0]; {
		case at == nil && height > recent.Value.LastValidBlockHeight:
			return signature, errExpired
		case at == nil || at.ConfirmationStatus == "processed":
		case string(at.Err) != "null":
			return signature, fmt.Errorf("transaction %s failed: %s", signature, at.Err)
		default:
			return signature, nil
		}
		select {
		case <-ctx.Done():
			return signature, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Fund gives each wallet so many lamports out of the purse.
func (s *Solana) Fund(ctx context.Context, lamports uint64, wallets ...sdk.PublicKey) error {
	var instructions []sdk.Instruction
	for _, w := range wallets {
		instructions = append(instructions, SolanaTransfer(s.purse.PublicKey(), w, lamports))
	}
	_, err := s.Send(ctx, s.purse, nil, instructions...)
	return err
}

// SolanaTransfer moves lamports; more are accounts that it names beside its own.
func SolanaTransfer(from, to sdk.PublicKey, lamports uint64, more ...sdk.PublicKey) sdk.Instruction {
	data := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(nil, 2), lamports)
	return named(sdk.SystemProgramID, data, more, sdk.Meta(from).SIGNER().WRITE(), sdk.Meta(to).WRITE())
}

func named(program sdk.PublicKey, data []byte, more []sdk.PublicKey, accounts ...*sdk.AccountMeta) sdk.Instruction {
	for _, m := range more {
		accounts = append(accounts, sdk.Meta(m))
	}
	return sdk.NewInstruction(program, accounts, data)
}

// SolanaToken is a mint of a development cluster.
type SolanaToken struct {
	Mint     sdk.PublicKey
	Program  sdk.PublicKey
	Decimals uint8
}

// Account is the wallet's associated account.
func (t SolanaToken) Account(wallet sdk.PublicKey) sdk.PublicKey {
	account, _, err := sdk.FindAssociatedTokenAddressWithProgram(wallet, t.Mint, t.Program)
	if err != nil { // one address in 2^255
		panic(err)
	}
	return account
}

// Open makes the wallet's associated account, if it is not there, for the payer's money.
func (t SolanaToken) Open(payer, wallet sdk.PublicKey) sdk.Instruction {
	return sdk.NewInstruction(sdk.SPLAssociatedTokenAccountProgramID, sdk.AccountMetaSlice{
		sdk.Meta(payer).SIGNER().WRITE(), sdk.Meta(t.Account(wallet)).WRITE(), sdk.Meta(wallet), sdk.Meta(t.Mint), sdk.Meta(sdk.SystemProgramID),
		sdk.Meta(t.Program),
	}, []byte{1})
}

// Transfer moves base units between the associated accounts of two wallets; more are accounts that it names beside its own.
func (t SolanaToken) Transfer(from, to sdk.PublicKey, units uint64, more ...sdk.PublicKey) sdk.Instruction {
	data := append(binary.LittleEndian.AppendUint64([]byte{12}, units), t.Decimals)
	return named(t.Program, data, more, sdk.Meta(t.Account(from)).WRITE(), sdk.Meta(t.Mint), sdk.Meta(t.Account(to)).WRITE(), sdk.Meta(from).SIGNER())
}

// DeployToken makes a mint of 6 decimals under the program, and mints that many base units to each owner.
func (s *Solana) DeployToken(ctx context.Context, program sdk.PublicKey, units uint64, owners ...sdk.PublicKey) (SolanaToken, error) {
	mint, err := NewSolanaKey()
	if err != nil {
		return SolanaToken{}, err
	}
	t := SolanaToken{Mint: mint.PublicKey(), Program: program, Decimals: 6}
	authority := s.purse.PublicKey()
	create := binary.LittleEndian.AppendUint64(make([]byte, 4), (solanaMintLength+solanaRentOverhead)*solanaRentPerByte)
	create = append(binary.LittleEndian.AppendUint64(create, solanaMintLength), program[:]...)
	instructions := []sdk.Instruction{
		sdk.NewInstruction(sdk.SystemProgramID, sdk.AccountMetaSlice{sdk.Meta(authority).SIGNER().WRITE(), sdk.Meta(t.Mint).SIGNER().WRITE()}, create),
		sdk.NewInstruction(program, sdk.AccountMetaSlice{sdk.Meta(t.Mint).WRITE()}, slices.Concat([]byte{20, t.Decimals}, authority[:], []byte{0})),
	}
	for _, owner := range owners {
		instructions = append(instructions, t.Open(authority, owner), sdk.NewInstruction(program, sdk.AccountMetaSlice{
			sdk.Meta(t.Mint).WRITE(), sdk.Meta(t.Account(owner)).WRITE(), sdk.Meta(authority).SIGNER(),
		}, binary.LittleEndian.AppendUint64([]byte{7}, units)))
	}
	_, err = s.Send(ctx, s.purse, []sdk.PrivateKey{mint}, instructions...)
	return t, err
}

// Pay pays what a transfer request of Solana Pay asks for, as a wallet does: from its own account, under the
// request's references and with its memo.
func (s *Solana) Pay(ctx context.Context, wallet sdk.PrivateKey, request string) (sdk.Signature, error) {
	text, ok := strings.CutPrefix(request, "solana:")
	recipient, query, _ := strings.Cut(text, "?")
	asked, err := url.ParseQuery(query)
	if err != nil || !ok {
		return sdk.Signature{}, fmt.Errorf("%q is no transfer request", request)
	}
	payee, err := sdk.PublicKeyFromBase58(recipient)
	if err != nil {
		return sdk.Signature{}, fmt.Errorf("recipient: %w", err)
	}
	var references []sdk.PublicKey
	for _, r := range asked["reference"] {
		key, err := sdk.PublicKeyFromBase58(r)
		if err != nil {
			return sdk.Signature{}, fmt.Errorf("reference: %w", err)
		}
		references = append(references, key)
	}
	instructions := []sdk.Instruction{sdk.NewInstruction(sdk.MemoProgramID, nil, []byte(asked.Get("memo")))}
	payer := wallet.PublicKey()
	mint := asked.Get("spl-token")
	if mint == "" {
		const lamportDigits = 9
		units, err := solanaUnits(asked.Get("amount"), lamportDigits)
		if err != nil {
			return sdk.Signature{}, err
		}
		return s.Send(ctx, wallet, nil, append(instructions, SolanaTransfer(payer, payee, units, references...))...)
	}
	token, err := s.tokenOf(ctx, mint)
	if err != nil {
		return sdk.Signature{}, fmt.Errorf("mint: %w", err)
	}
	units, err := solanaUnits(asked.Get("amount"), token.Decimals)
	if err != nil {
		return sdk.Signature{}, err
	}
	return s.Send(ctx, wallet, nil, append(instructions, token.Open(payer, payee), token.Transfer(payer, payee, units, references...))...)
}

// tokenOf asks the cluster for the mint's program and decimals.
func (s *Solana) tokenOf(ctx context.Context, mint string) (token SolanaToken, err error) {
	if token.Mint, err = sdk.PublicKeyFromBase58(mint); err != nil {
		return token, err
	}
	var account struct {
		Value *struct{ Owner sdk.PublicKey }
	}
	var supply struct{ Value struct{ Decimals uint8 } }
	if err := s.Call(ctx, &account, "getAccountInfo", mint, map[string]string{"encoding": "base64", "commitment": "confirmed"}); err != nil {
		return token, err
	}
	if account.Value == nil {
		return token, errors.New("there is no such account")
	}
	err = s.Call(ctx, &supply, "getTokenSupply", mint, map[string]string{"commitment": "confirmed"})
	token.Program, token.Decimals = account.Value.Owner, supply.Value.Decimals
	return token, err
}

func solanaUnits(major string, decimals uint8) (uint64, error) {
	amount, rounded, err := settlement.AmountFromMajor(major, decimals)
	if err != nil || rounded {
		return 0, fmt.Errorf("amount %q is none of a token with %d decimals", major, decimals)
	}
	return strconv.ParseUint(amount.String(), 10, 64)
}
