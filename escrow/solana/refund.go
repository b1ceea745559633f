package solana

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	sdk "github.com/gagliardetto/solana-go"
	computebudget "github.com/gagliardetto/solana-go/programs/compute-budget"
	"github.com/gagliardetto/solana-go/programs/system"

	"github.com/settler-pay/settler/settlement"
)

// RefundBooks is what only our rows know of refunds. It is asked before each signature.
type RefundBooks interface {
	// Due is the refund that the slot was reserved for; the error also says that there is none.
	Due(ctx context.Context, chain settlement.ChainID, slot settlement.Slot) (settlement.DirectRefund, settlement.Amount, error)
	// LastHour gives what was reserved within the last hour for the signer's slots, without the one that is asked for.
	LastHour(ctx context.Context, chain settlement.ChainID, slot settlement.Slot) (Spent, error)
}

// RefunderConfig is what NewRefunder needs; fields are as of a MoverConfig.
type RefunderConfig struct {
	Chain     settlement.ChainID
	Wallet    Wallet
	Endpoints []Endpoint
	Tokens    []Token
	// Policy's Reserve is what the wallet keeps for fees: no SOL below it is given back, and no account made for a receiver.
	Policy     Policy
	Books      RefundBooks
	HTTPClient *http.Client
	Timeout    time.Duration
}

// Refunder gives back direct payments out of the operator's own wallet, one in a transaction.
//
// A copy of such a transaction would find money, unlike that of an order's wallet. So each stands on the wallet's durable nonce: of all
// transactions that name one of its values the cluster carries out one at most, whenever they come. A slot is for one value, and the next
// begins when the value is used. So later copies may offer more without a doubt, and nothing depends on when one expires.
type Refunder struct {
	cfg    RefunderConfig
	nodes  nodes
	nonce  sdk.PublicKey
	tokens map[sdk.PublicKey]Token
	floor  atomic.Uint64 // highest final slot that was read: nothing older is believed
}

// NewRefunder asks the endpoints for their genesis hash, and for the wallet's nonce account. It returns an error when none answers, one is of
// another cluster, or there is no such account.
func NewRefunder(ctx context.Context, cfg RefunderConfig) (*Refunder, error) {
	f, err := newRefunder(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return f, f.nodes.ask(ctx, func(ctx context.Context, e Endpoint) error {
		accounts, err := f.nodes.accounts(ctx, e, confirmed, 0, []sdk.PublicKey{f.nonce})
		if err != nil {
			return err
		}
		_, err = cfg.Wallet.nonceOf(accounts[f.nonce])
		return err
	})
}

func newRefunder(ctx context.Context, cfg RefunderConfig) (*Refunder, error) {
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = &http.Client{}
	}
	f := &Refunder{
		cfg: cfg, nodes: nodes{cfg.Endpoints, cfg.HTTPClient, cmp.Or(cfg.Timeout, 15*time.Second)}, tokens: make(map[sdk.PublicKey]Token),
	}
	for _, t := range cfg.Tokens {
		f.tokens[t.Mint] = t
	}
	var err error
	if f.nonce, err = cfg.Wallet.NonceAccount(); err != nil {
		return nil, err
	}
	return f, f.nodes.ask(ctx, func(ctx context.Context, e Endpoint) error {
		genesis, err := f.nodes.genesis(ctx, e)
		if err != nil {
			return err
		}
		return checkGenesis(cfg.Chain, genesis)
	})
}

// Signer is the wallet.
func (f *Refunder) Signer() settlement.Address { return addressOf(f.cfg.Wallet.Address()) }

// Balance is what the wallet has in lamports, at the final slot.
func (f *Refunder) Balance(ctx context.Context) (settlement.Amount, error) {
	wallet, lamports := f.cfg.Wallet.Address(), uint64(0)
	err := f.nodes.ask(ctx, func(ctx context.Context, e Endpoint) error {
		accounts, err := f.nodes.accounts(ctx, e, finalized, 0, []sdk.PublicKey{wallet})
		if account := accounts[wallet]; err == nil && account != nil {
			lamports = account.Lamports
		}
		return err
	})
	return settlement.NewAmount(lamports), err
}

// HasCode reports whether the account is, or may be, a program's: nobody can sign for it.
func (f *Refunder) HasCode(ctx context.Context, account settlement.Address) (there bool, err error) {
	key, err := publicKey(account)
	if err != nil {
		return false, err
	}
	err = f.nodes.ask(ctx, func(ctx context.Context, e Endpoint) error {
		accounts, err := f.nodes.accounts(ctx, e, confirmed, 0, []sdk.PublicKey{key})
		a := accounts[key]
		there = !key.IsOnCurve() || a != nil && a.Program != sdk.SystemProgramID
		return err
	})
	return there, err
}

// giveBack is what a slot is for, as its calldata holds it: the transaction of all its attempts but for the fees.
type giveBack struct {
	Nonce    sdk.Hash      `json:"nonce"` // value of the durable nonce
	Slot     uint64        `json:"slot"`  // final slot at which it was read
	Mint     sdk.PublicKey `json:"mint"`  // zero for SOL
	Receiver sdk.PublicKey `json:"receiver"`
	Amount   uint64        `json:"amount"`
	Memo     string        `json:"memo"`
}

// release is the refund as far as it is like one: its legs are checked and made in the same way.
func (f *Refunder) release(p giveBack) (Release, error) {
	token, ok := f.tokens[p.Mint]
	if !ok {
		return Release{}, refused(RefusedMint, "mint %s is none that is given back", p.Mint)
	}
	wallet := f.cfg.Wallet.Address()
	return Release{Vault: wallet, FeePayer: wallet, Token: token, Legs: []Leg{{p.Receiver, p.Amount}}, Memo: p.Memo, Nonce: f.nonce}, nil
}

// read reads what the refund depends on at the final slot, which is one that was read before, or later.
func (f *Refunder) read(ctx context.Context, e Endpoint, slot uint64, keys ...sdk.PublicKey) (map[sdk.PublicKey]*Account, sdk.Hash, uint64, error) {
	accounts, at, err := f.nodes.accountsAt(ctx, e, finalized, max(slot, f.floor.Load()), append(keys, f.nonce, f.cfg.Wallet.Address()))
	if err != nil {
		return nil, sdk.Hash{}, 0, err
	}
	for was := f.floor.Load(); was < at && !f.floor.CompareAndSwap(was, at); was = f.floor.Load() {
	}
	value, err := f.cfg.Wallet.nonceOf(accounts[f.nonce])
	return accounts, value, at, err
}

// build makes the refund's transaction, unsigned, and tells what the wallet has of the token that may be given back.
func (f *Refunder) build(r Release, accounts map[sdk.PublicKey]*Account, nonce sdk.Hash, price uint64) (*sdk.Transaction, uint64, error) {
	var b builder
	b.add(system.NewAdvanceNonceAccountInstruction(f.nonce, sdk.SysVarRecentBlockHashesPubkey, r.FeePayer).ValidateAndBuild())
	b.add(computebudget.NewSetComputeUnitLimitInstruction(UnitLimit).ValidateAndBuild())
	b.add(computebudget.NewSetComputeUnitPriceInstruction(price).ValidateAndBuild())
	has, keeps := uint64(0), max(f.cfg.Policy.Reserve, RentExempt(0)+signatureFee+UnitLimit*price/1_000_000)
	if wallet := accounts[r.Vault]; wallet != nil {
		has = wallet.Lamports
	}
	available := has - min(has, keeps)
	switch {
	case len(r.Legs) == 0: // does nothing
	case r.Token.native():
		if err := r.payNativeLeg(&b, accounts, r.Legs[0]); err != nil {
			return nil, available, err
		}
	default:
		if _, err := r.Token.transferable(accounts[r.Token.Mint]); err != nil {
			return nil, 0, err
		}
		from, err := r.Token.account(r.Vault)
		if err != nil {
			return nil, 0, err
		}
		to, err := r.Token.account(r.Legs[0].To)
		if err != nil {
			return nil, 0, err
		}
		held, err := r.Token.open(accounts[from], r.Vault)
		if err != nil {
			return nil, 0, refused(RefusedVault, "token account %s of the wallet: %v", from, err)
		}
		if accounts[to] == nil {
			keeps += RentExempt(largestAccount)
		}
		if has < keeps {
			return nil, 0, refused(RefusedReserve, "the wallet has %d lamports, and must keep %d for fees and for the receiver's account where it is new", has, keeps)
		}
		if available = 0; held != nil {
			available = held.Account.Amount
		}
		if err := r.payLeg(&b, accounts, from, r.Legs[0]); err != nil {
			return nil, available, err
		}
	}
	if b.err != nil {
		return nil, 0, b.err
	}
	if len(r.Legs) > 0 && r.Legs[0].Amount > available {
		return nil, available, refused(RefusedReserve, "the wallet has %d base units that may be given back, and %d are to be", available, r.Legs[0].Amount)
	}
	tx, err := sdk.NewTransaction(b.instructions, nonce, sdk.TransactionPayer(r.FeePayer))
	if err != nil {
		return nil, 0, fmt.Errorf("make the transaction: %w", err)
	}
	return tx, available, nil
}

// Prepare reads the wallet at the final slot. It takes one movement; without one it reads the nonce's value alone.
func (f *Refunder) Prepare(ctx context.Context, movements []settlement.Movement) (settlement.Prepared, error) {
	if len(movements) > 1 {
		return settlement.Prepared{}, fmt.Errorf("%d movements, a transaction carries out one", len(movements))
	}
	var out settlement.Prepared
	var p giveBack
	var r Release
	var keys []sdk.PublicKey
	var err error
	if len(movements) == 1 {
		mv := movements[0]
		p.Memo = fmt.Sprintf("settler %s/%d", mv.Payment, mv.Part)
		if mv.Direct.Token != "" {
			p.Mint, err = publicKey(mv.Direct.Token)
		}
		if err == nil {
			p.Receiver, err = publicKey(mv.Direct.Receiver)
		}
		if units := mv.ToPayer.Big(); err == nil && !units.IsUint64() {
			err = fmt.Errorf("%s base units do not fit into 64 bits", mv.ToPayer)
		} else if err == nil {
			p.Amount = units.Uint64()
		}
		if err == nil {
			r, err = f.release(p)
		}
		if err == nil {
			keys, err = r.Accounts()
		}
	}
	if err == nil {
		err = f.nodes.ask(ctx, func(ctx context.Context, e Endpoint) error {
			accounts, value, at, err := f.read(ctx, e, 0, keys...)
			if err != nil {
				return err
			}
			p.Nonce, p.Slot, out.Durable = value, at, value[:]
			if len(movements) == 0 {
				return nil
			}
			_, available, err := f.build(r, accounts, value, firstPrice)
			out.Available = settlement.NewAmount(available)
			return err
		})
	}
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		reason := settlement.PayoutRefused
		if refusal.Code == RefusedReserve {
			reason = settlement.WalletShort
		}
		out.Refused = []settlement.RefusedMovement{{Movement: movements[0], Reason: reason, Detail: refusal.Error()}}
		return out, nil
	}
	if err != nil || len(movements) == 0 {
		return out, err
	}
	data, err := json.Marshal(p)
	out.Call, out.Movements = settlement.Call{Target: movements[0].Direct.Receiver, Data: data, Gas: UnitLimit}, movements
	return out, err
}

// Sign signs the slot's transaction, once the policy and the accounts as they are now allow it. Without calldata it is one that only uses
// the nonce's value up. The error is a *Refusal when they do not: nothing was signed.
func (f *Refunder) Sign(ctx context.Context, slot settlement.Slot, call settlement.Call, last *settlement.Fees, _ bool) (settlement.SignedTx, error) {
	var out settlement.SignedTx
	var p giveBack
	wallet := f.cfg.Wallet.Address()
	r := Release{Vault: wallet, FeePayer: wallet}
	var keys []sdk.PublicKey
	if len(call.Data) > 0 {
		err := json.Unmarshal(call.Data, &p)
		if err == nil {
			r, err = f.release(p)
		}
		if err == nil {
			keys, err = r.Accounts()
		}
		if err == nil {
			err = f.judge(ctx, r, slot)
		}
		if err != nil {
			return out, err
		}
	}
	price := uint64(firstPrice)
	if last != nil {
		price = last.Max.Big().Uint64() * priceRise
	}
	price = min(price, f.cfg.Policy.MaxUnitPrice)
	if last != nil && price <= last.Max.Big().Uint64() {
		return out, fmt.Errorf("%d millionths of a lamport for a compute unit: %w; %s.max_unit_price can allow more", price, settlement.ErrFeeCap, f.cfg.Policy.Key)
	}
	var tx *sdk.Transaction
	err := f.nodes.ask(ctx, func(ctx context.Context, e Endpoint) error {
		accounts, value, _, err := f.read(ctx, e, p.Slot, keys...)
		if err != nil {
			return err
		}
		if len(call.Data) > 0 && value != p.Nonce {
			return refused(RefusedNonce, "the nonce %s that it stands on is used", p.Nonce)
		}
		tx, _, err = f.build(r, accounts, value, price)
		return err
	})
	if err == nil {
		err = f.cfg.Wallet.Sign(tx)
	}
	if err != nil {
		return out, err
	}
	out.TxID, out.Fees.Max = settlement.TxID(tx.Signatures[0][:]), settlement.NewAmount(price)
	out.Raw, err = tx.MarshalBinary()
	return out, err
}

// judge returns a *Refusal for a refund that must not be signed: it is the one that the slot was reserved for, within the limits.
func (f *Refunder) judge(ctx context.Context, r Release, slot settlement.Slot) error {
	due, amount, err := f.cfg.Books.Due(ctx, f.cfg.Chain, slot)
	if err != nil {
		return fmt.Errorf("look up what slot %d is for: %w", slot.Nonce, err)
	}
	leg, token := r.Legs[0], settlement.Address("")
	if !r.Token.native() {
		token = addressOf(r.Token.Mint)
	}
	if due.Token != token || due.Receiver != addressOf(leg.To) || amount != settlement.NewAmount(leg.Amount) {
		return refused(RefusedPolicy, "%d base units for %s are not what slot %d is for; no configuration allows it", leg.Amount, leg.To, slot.Nonce)
	}
	return f.cfg.Policy.within(ctx, f.cfg.Books.LastHour, f.cfg.Chain, r.Token.Mint, token, new(big.Int).SetUint64(leg.Amount), slot)
}

// Send hands the bytes to every endpoint.
func (f *Refunder) Send(ctx context.Context, raw []byte) error { return f.nodes.send(ctx, raw) }

// Outcome says what has become of the slot. While the nonce's value is the one that its transactions stand on, none of them is carried out
// for good; afterwards one of them was, or somebody else has the key.
func (f *Refunder) Outcome(ctx context.Context, _ settlement.Slot, call settlement.Call, signed []settlement.SignedTx, _ []settlement.Movement) (settlement.SlotOutcome, error) {
	var p giveBack
	if err := json.Unmarshal(call.Data, &p); err != nil {
		return settlement.SlotOutcome{}, fmt.Errorf("decode the refund: %w", err)
	}
	values, ids := make([]sdk.Hash, len(signed)), make([]string, len(signed))
	for i, s := range signed {
		tx, err := sdk.TransactionFromBytes(s.Raw)
		if err != nil {
			return settlement.SlotOutcome{}, fmt.Errorf("decode a transaction of ours: %w", err)
		}
		values[i], ids[i] = tx.Message.RecentBlockhash, sdk.SignatureFromBytes([]byte(s.TxID)).String()
	}
	var out settlement.SlotOutcome
	look := func(ctx context.Context, e Endpoint) error {
		_, value, at, err := f.read(ctx, e, p.Slot)
		if err != nil {
			return err
		}
		statuses, of, err := f.nodes.statuses(ctx, e, ids)
		if err != nil {
			return err
		}
		for i, s := range statuses {
			switch {
			case s == nil:
			case s.ConfirmationStatus != finalized:
				out = settlement.SlotOutcome{Fate: settlement.SlotIncluded, TxID: signed[i].TxID}
				return nil
			default:
				out, err = f.final(ctx, e, p, signed[i].TxID, ids[i], s.Slot)
				return err
			}
		}
		switch {
		case slices.Contains(values, value):
			out = settlement.SlotOutcome{Fate: settlement.SlotWaiting}
		case of < at: // behind one address there may be several nodes, and one that is behind knows of no transaction
			return fmt.Errorf("it tells of final slot %d, and then of transactions at slot %d", at, of)
		default:
			out = settlement.SlotOutcome{Fate: settlement.SlotForeign}
		}
		return nil
	}
	if err := f.nodes.ask(ctx, look); err != nil || out.Fate != settlement.SlotForeign {
		return out, err
	}
	for _, e := range f.cfg.Endpoints { // one that knows more of the past is believed
		if err := look(ctx, e); err == nil && out.Fate != settlement.SlotForeign {
			return out, nil
		}
	}
	return settlement.SlotOutcome{Fate: settlement.SlotForeign}, nil
}

// final reads what a final transaction did. What has left the wallet proves it: that the transaction succeeded does not.
func (f *Refunder) final(ctx context.Context, e Endpoint, p giveBack, txid settlement.TxID, id string, slot uint64) (settlement.SlotOutcome, error) {
	tx, err := f.nodes.carriedOut(ctx, e, id)
	if err != nil {
		return settlement.SlotOutcome{}, err
	}
	if tx.Meta.PostBalances[0] > tx.Meta.PreBalances[0] {
		return settlement.SlotOutcome{}, fmt.Errorf("transaction %s is final, and what it did is incomplete or another's", id)
	}
	_, value, _, err := f.read(ctx, e, slot)
	if err != nil {
		return settlement.SlotOutcome{}, err
	}
	spent := tx.Meta.PreBalances[0] - tx.Meta.PostBalances[0]
	out := settlement.SlotOutcome{Fate: settlement.SlotFinal, TxID: txid, Durable: value[:], Parts: make([]settlement.PartOutcome, 1)}
	left, problem := settlement.Amount{}, tx.problem()
	switch at := slices.Index(tx.keys(), p.Receiver); {
	case problem != "":
		out.Parts[0].Problem = problem
	case p.Mint.IsZero() && at > 0 && tx.Meta.PostBalances[at] > tx.Meta.PreBalances[at]:
		left = settlement.NewAmount(tx.Meta.PostBalances[at] - tx.Meta.PreBalances[at])
		spent -= min(spent, left.Big().Uint64())
	case !p.Mint.IsZero():
		from, err := f.tokens[p.Mint].account(f.cfg.Wallet.Address())
		if err != nil {
			return settlement.SlotOutcome{}, err
		}
		had, has := tx.units(from, p.Mint)
		left = had.Sub(has)
	}
	if out.Gas = settlement.NewAmount(spent); left == settlement.NewAmount(p.Amount) {
		out.Parts[0].Paid = true
		out.Parts[0].Withheld.ToPayer, err = tx.withheld(f.tokens[p.Mint], Leg{p.Receiver, p.Amount})
	} else if out.Parts[0].Problem == "" {
		out.Parts[0].Problem = "the transaction was carried out and made no such transfer"
	}
	return out, err
}
