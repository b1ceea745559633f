package solana

import (
	"errors"
	"fmt"

	sdk "github.com/gagliardetto/solana-go"
	associated "github.com/gagliardetto/solana-go/programs/associated-token-account"
	computebudget "github.com/gagliardetto/solana-go/programs/compute-budget"
	"github.com/gagliardetto/solana-go/programs/memo"
	"github.com/gagliardetto/solana-go/programs/system"
	"github.com/gagliardetto/solana-go/programs/token"
	token2022 "github.com/gagliardetto/solana-go/programs/token-2022"

	"github.com/settler-pay/settler/settlement"
)

// RefusalCode names why a release is not built. Codes are stable.
type RefusalCode string

// What is refused.
const (
	RefusedMint        RefusalCode = "MINT_REFUSED"          // not the configured one, or somebody else has a say in it
	RefusedLegs        RefusalCode = "LEGS_REFUSED"          // nobody is paid, or somebody twice
	RefusedVault       RefusalCode = "VAULT_ACCOUNT_REFUSED" // nothing is held, or it cannot be moved
	RefusedBalance     RefusalCode = "BALANCE_DIFFERS"       // the legs are not what is held
	RefusedDestination RefusalCode = "DESTINATION_REFUSED"   // what is sent there would be stuck or somebody else's
	RefusedRent        RefusalCode = "RENT_REFUSED"          // an account would be left with too little to live
	RefusedReserve     RefusalCode = "RESERVE_REFUSED"       // the wallet has too little for it
	RefusedSize        RefusalCode = "TRANSACTION_TOO_LARGE" // it does not fit into one transaction
)

// Refusal is the error of a release that is not built. Nothing was signed.
type Refusal struct {
	Code   RefusalCode
	Detail string
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s: %s", r.Code, r.Detail) }

// Is reports settlement.ErrNotHeld where the wallet is the reason, which may only seem so to an endpoint that is behind, and
// settlement.ErrNotSigned where neither that nor time is.
func (r *Refusal) Is(target error) bool {
	switch r.Code {
	case RefusedVault, RefusedBalance:
		return target == settlement.ErrNotHeld
	case RefusedHour, RefusedReserve:
		return false
	}
	return target == settlement.ErrNotSigned
}

func refused(code RefusalCode, format string, args ...any) error {
	return &Refusal{code, fmt.Sprintf(format, args...)}
}

// Leg is what one party is paid.
type Leg struct {
	To     sdk.PublicKey // the party's wallet; a token goes to its associated account, which is made when it is absent
	Amount uint64        // base units that leave the vault; a token that withholds a fee withholds it from this
}

// Release is everything that is paid out of an order's wallet at one decision. It is one transaction, which empties the
// wallet and closes its token account, so that a second copy of it, whatever its blockhash, finds nothing and fails. One
// that leaves money behind needs a durable nonce, which a second copy finds used.
type Release struct {
	Vault sdk.PublicKey // the order's wallet
	Token Token
	Legs  []Leg  // 1 or 2
	Burn  uint64 // base units of a token that nobody is owed
	// Dust is whose leg, the last of two, is burnt where he could not live by it; zero for nobody. It is SOL above the price, and less than an account
	// lives by: somebody's lamport must not hold up a release.
	Dust     sdk.PublicKey
	Memo     string // told to accounts that demand one; 1 to 64 bytes
	FeePayer sdk.PublicKey
	RentTo   sdk.PublicKey // gets what the closed token account held for its rent
	// UnitPrice is the priority fee in millionths of a lamport for each of UnitLimit compute units.
	UnitPrice uint64
	// Nonce is a durable nonce account of the fee payer, or zero.
	Nonce sdk.PublicKey
}

// UnitLimit is the most compute units of a release. The largest takes some 50,000, more where the address of a new account
// is hard to find.
const UnitLimit = 200_000

// maxTransaction is the length of a transaction in bytes that nodes pass on.
//
// Source: solana-sdk, PACKET_DATA_SIZE.
const maxTransaction = 1232

// maxMemo keeps a release within maxTransaction.
const maxMemo = 64

// RentExempt is what an account with so many bytes must hold to live, in lamports. One without any data is 0 or at least
// RentExempt(0).
//
// Source: solana-sdk, Rent::default.
func RentExempt(length int) uint64 { return (uint64(length) + 128) * 6960 }

// Accounts are those that Build must be given, all read at the same slot.
func (r Release) Accounts() ([]sdk.PublicKey, error) {
	if r.Token.native() {
		out := []sdk.PublicKey{r.Vault}
		for _, leg := range r.Legs {
			out = append(out, leg.To)
		}
		return out, nil
	}
	held, err := r.Token.account(r.Vault)
	if err != nil {
		return nil, err
	}
	out := []sdk.PublicKey{r.Token.Mint, held}
	for _, leg := range r.Legs {
		account, err := r.Token.account(leg.To)
		if err != nil {
			return nil, err
		}
		out = append(out, leg.To, account)
	}
	return out, nil
}

// Build makes the transaction, unsigned, of accounts as they are now: key → account; one that does not exist is left out.
// The blockhash is a recent one, or the value of the durable nonce. The error is a *Refusal when the accounts, the legs or
// the size are the reason.
func (r Release) Build(accounts map[sdk.PublicKey]*Account, blockhash sdk.Hash) (*sdk.Transaction, error) {
	if err := r.checkLegs(); err != nil {
		return nil, err
	}
	var b builder
	if !r.Nonce.IsZero() {
		b.add(system.NewAdvanceNonceAccountInstruction(r.Nonce, sdk.SysVarRecentBlockHashesPubkey, r.FeePayer).ValidateAndBuild())
	}
	b.add(computebudget.NewSetComputeUnitLimitInstruction(UnitLimit).ValidateAndBuild())
	if r.UnitPrice > 0 {
		b.add(computebudget.NewSetComputeUnitPriceInstruction(r.UnitPrice).ValidateAndBuild())
	}
	pay := r.payTokens
	if r.Token.native() {
		pay = r.payNative
	}
	if err := errors.Join(pay(&b, accounts), b.err); err != nil {
		return nil, err
	}
	tx, err := sdk.NewTransaction(b.instructions, blockhash, sdk.TransactionPayer(r.FeePayer))
	if err != nil {
		return nil, fmt.Errorf("make the transaction: %w", err)
	}
	message, err := tx.Message.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("encode the transaction: %w", err)
	}
	if size := 1 + 64*tx.NumSigners() + len(message); size > maxTransaction { // two legs and a memo of maxMemo leave room
		return nil, refused(RefusedSize, "%d bytes, more than %d", size, maxTransaction)
	}
	return tx, nil
}

func (r Release) checkLegs() error {
	if len(r.Legs) < 1 || len(r.Legs) > 2 {
		return refused(RefusedLegs, "%d legs, not 1 or 2", len(r.Legs))
	}
	if len(r.Memo) < 1 || len(r.Memo) > maxMemo {
		return refused(RefusedLegs, "a memo of %d bytes, not 1 to %d", len(r.Memo), maxMemo)
	}
	if r.FeePayer == r.Vault || r.FeePayer.IsZero() {
		return refused(RefusedLegs, "the fee is paid by %s, not by a wallet of ours", r.FeePayer)
	}
	if !r.Token.native() && (r.RentTo == r.Vault || r.RentTo.IsZero()) {
		return refused(RefusedLegs, "the rent goes to %s, where it would be lost", r.RentTo)
	}
	if r.Burn > 0 && r.Token.native() {
		return refused(RefusedLegs, "SOL is not burnt")
	}
	if last := r.Legs[len(r.Legs)-1]; !r.Dust.IsZero() &&
		(!r.Token.native() || !r.Nonce.IsZero() || len(r.Legs) != 2 || last.To != r.Dust || last.Amount >= RentExempt(0)) {
		return refused(RefusedLegs, "%d for %s is no dust beside a price in SOL", last.Amount, last.To)
	}
	for i, leg := range r.Legs {
		switch {
		case leg.Amount == 0:
			return refused(RefusedLegs, "nothing for %s", leg.To)
		case leg.To == r.Vault || leg.To.IsZero():
			return refused(RefusedLegs, "%s is no party", leg.To)
		case i > 0 && leg.To == r.Legs[0].To:
			return refused(RefusedLegs, "%s is paid twice", leg.To)
		}
	}
	return nil
}

// left is what stays in the vault. It is 0, or the release has a durable nonce.
func (r Release) left(held uint64) (uint64, error) {
	left := held
	for _, out := range append([]Leg{{Amount: r.Burn}}, r.Legs...) {
		if out.Amount > left {
			return 0, refused(RefusedBalance, "%d base units are held, fewer than are to be paid", held)
		}
		left -= out.Amount
	}
	if left > 0 && r.Nonce.IsZero() {
		return 0, refused(RefusedBalance, "%d of %d base units would stay behind, and a second copy would find them", left, held)
	}
	return left, nil
}

func (r Release) payTokens(b *builder, accounts map[sdk.PublicKey]*Account) error {
	mint := accounts[r.Token.Mint]
	if err := r.Token.CheckMint(mint); err != nil {
		return err
	}
	from, err := r.Token.account(r.Vault)
	if err != nil {
		return err
	}
	held, err := r.Token.open(accounts[from], r.Vault)
	if err == nil && held == nil {
		err = errors.New("there is no such account")
	}
	if err == nil && held.Account.CloseAuthority != nil {
		err = fmt.Errorf("it is closed by %s", held.Account.CloseAuthority)
	}
	if err != nil {
		return refused(RefusedVault, "token account %s of the vault: %v", from, err)
	}
	left, err := r.left(held.Account.Amount)
	if err != nil {
		return err
	}
	for _, leg := range r.Legs {
		if err := r.payLeg(b, accounts, from, leg); err != nil {
			return err
		}
	}
	if r.Burn > 0 {
		b.under(r.Token.Program)(token.NewBurnCheckedInstruction(r.Burn, r.Token.Decimals, from, r.Token.Mint, r.Vault, nil).ValidateAndBuild())
	}
	if left > 0 {
		return nil
	}
	if held.TransferFeeAmount != nil { // withheld from deposits; an account that has some cannot be closed
		b.add(token2022.NewHarvestWithheldTokensToMintInstruction(r.Token.Mint, from).ValidateAndBuild())
	}
	b.under(r.Token.Program)(token.NewCloseAccountInstruction(from, r.RentTo, r.Vault, nil).ValidateAndBuild())
	return nil
}

func (r Release) payLeg(b *builder, accounts map[sdk.PublicKey]*Account, from sdk.PublicKey, leg Leg) error {
	if err := checkWallet(accounts[leg.To]); err != nil {
		return refused(RefusedDestination, "%s: %v", leg.To, err)
	}
	to, err := r.Token.account(leg.To)
	if err != nil {
		return err
	}
	there, err := r.Token.open(accounts[to], leg.To)
	if err != nil {
		return refused(RefusedDestination, "token account %s of %s: %v", to, leg.To, err)
	}
	if there == nil {
		mint, err := token2022.DecodeMintWithExtensions(accounts[r.Token.Mint].Data)
		if err != nil || frozenByDefault(mint) {
			return refused(RefusedDestination, "token account %s of %s is absent, and a new one would be frozen", to, leg.To)
		}
		b.add(associated.NewCreateIdempotentInstructionWithTokenProgram(r.FeePayer, leg.To, r.Token.Mint, r.Token.Program).ValidateAndBuild())
	} else if there.MemoTransfer != nil && there.MemoTransfer.RequireIncomingTransferMemos {
		b.add(memo.NewMemoInstruction([]byte(r.Memo)).ValidateAndBuild())
	}
	b.under(r.Token.Program)(token.NewTransferCheckedInstruction(leg.Amount, r.Token.Decimals, from, r.Token.Mint, to, r.Vault, nil).ValidateAndBuild())
	return nil
}

// open decodes a token account and checks that it is the wallet's, of this mint, and not frozen; nil when it does not
// exist. Lamports that somebody has sent to its address do not make it.
func (t Token) open(account *Account, wallet sdk.PublicKey) (*token2022.AccountWithExtensions, error) {
	if account == nil || account.Program == sdk.SystemProgramID && len(account.Data) == 0 {
		return nil, nil //nolint:nilnil // absent is one of the states
	}
	if account.Program != t.Program {
		return nil, fmt.Errorf("it is owned by the program %s", account.Program)
	}
	a, err := token2022.DecodeAccountWithExtensions(account.Data)
	switch {
	case err != nil:
		return nil, err
	case a.Account.Mint != t.Mint:
		return nil, fmt.Errorf("it is of the mint %s", a.Account.Mint)
	case a.Account.Owner != wallet:
		return nil, fmt.Errorf("it belongs to %s", a.Account.Owner)
	case a.Account.State != token2022.AccountStateInitialized:
		return nil, fmt.Errorf("it is %s", a.Account.State)
	}
	return a, nil
}

// checkWallet refuses accounts that are no wallet: what a token account or mint owns, nobody can sign for.
func checkWallet(account *Account) error {
	if account != nil && isTokenProgram(account.Program) {
		return errors.New("it is an account of a token program, not a wallet")
	}
	return nil
}

func (r Release) payNative(b *builder, accounts map[sdk.PublicKey]*Account) error {
	vault := accounts[r.Vault]
	if vault == nil || vault.Program != sdk.SystemProgramID || len(vault.Data) > 0 {
		return refused(RefusedVault, "%s is no wallet with SOL", r.Vault)
	}
	left, err := r.left(vault.Lamports)
	if err != nil {
		return err
	}
	if left > 0 && left < RentExempt(0) {
		return refused(RefusedRent, "%d lamports would stay, fewer than the %d that an account lives by", left, RentExempt(0))
	}
	for _, leg := range r.Legs {
		if err := r.payNativeLeg(b, accounts, leg); err != nil {
			return err
		}
	}
	return nil
}

func (r Release) payNativeLeg(b *builder, accounts map[sdk.PublicKey]*Account, leg Leg) error {
	if err := livesBy(accounts[leg.To], leg); err != nil {
		if leg.To != r.Dust {
			return err
		}
		leg.To = incinerator
	}
	b.add(system.NewTransferInstruction(leg.Amount, r.Vault, leg.To).ValidateAndBuild())
	return nil
}

// incinerator is where the cluster burns what comes, at the end of each block. It may hold less than an account lives by.
//
// Source: solana-sdk, incinerator.
var incinerator = sdk.MustPublicKeyFromBase58("1nc1nerator11111111111111111111111111111111")

// livesBy refuses what would leave its receiver's account with too little to live, or nobody could sign for.
func livesBy(to *Account, leg Leg) error {
	if err := checkWallet(to); err != nil {
		return refused(RefusedDestination, "%s: %v", leg.To, err)
	}
	var has, least uint64 = 0, RentExempt(0)
	if to != nil {
		has, least = to.Lamports, RentExempt(len(to.Data))
	}
	if leg.Amount < least && has < least-leg.Amount {
		return refused(RefusedRent, "%s would hold %d lamports, fewer than the %d that it lives by", leg.To, has+leg.Amount, least)
	}
	return nil
}

// builder collects instructions and what went wrong in making them.
type builder struct {
	instructions []sdk.Instruction
	err          error
}

func (b *builder) add(instruction sdk.Instruction, err error) {
	b.err = errors.Join(b.err, err)
	b.instructions = append(b.instructions, instruction)
}

// under puts an instruction that both token programs know under one of them.
func (b *builder) under(program sdk.PublicKey) func(*token.Instruction, error) {
	return func(instruction *token.Instruction, err error) {
		if err == nil {
			var data []byte
			if data, err = instruction.Data(); err == nil {
				b.add(sdk.NewInstruction(program, instruction.Accounts(), data), nil)
			}
		}
		b.err = errors.Join(b.err, err)
	}
}
