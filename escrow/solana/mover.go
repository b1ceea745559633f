package solana

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/settlement"
)

// MoverConfig is what NewMover needs. All fields are required but those that name a default.
type MoverConfig struct {
	Chain     settlement.ChainID
	Secret    *Secret
	Endpoints []Endpoint // reads are asked of them in this order; transactions go to all
	Tokens    []Token    // that are held; the zero Token is SOL
	Policy    Policy
	Books     Books
	// HTTPClient defaults to one of its own.
	HTTPClient *http.Client
	// Timeout bounds all calls of one look together. Defaults to 15 s.
	Timeout time.Duration
}

// Priority fees in millionths of a lamport for a compute unit: the first transaction of a slot offers firstPrice, each later one
// twice as much as the last, up to the policy's limit.
const (
	firstPrice = 1000
	priceRise  = 2
)

// lifetime is for how many block heights a blockhash is taken.
//
// Source: solana-sdk, MAX_PROCESSING_AGE.
const lifetime = 150

// Mover pays out of the wallets of orders on one cluster, one wallet in a transaction. It keeps nothing: whoever calls it
// stores what comes back before the next step.
//
// A wallet's transaction is copied by nobody to any effect, because it empties the wallet and closes its token account. All the
// same at most one is alive at a time: another is signed only when two operators say that the blockhashes of all before it
// have expired at what is final, that none of them is in a block, and that the wallet holds what it did.
type Mover struct {
	*Custody
	cfg    MoverConfig
	nodes  nodes
	tokens map[sdk.PublicKey]Token
}

// NewMover asks the endpoints for their genesis hash, and for the mints, in which nobody else may have a say. It returns an
// error when none answers, or one is of another cluster.
func NewMover(ctx context.Context, cfg MoverConfig) (*Mover, error) {
	cfg.Timeout = cmp.Or(cfg.Timeout, 15*time.Second)
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = &http.Client{}
	}
	m := &Mover{cfg: cfg, nodes: nodes{cfg.Endpoints, cfg.HTTPClient, cfg.Timeout}, tokens: make(map[sdk.PublicKey]Token)}
	var mints []sdk.PublicKey
	for _, t := range cfg.Tokens {
		if m.tokens[t.Mint] = t; !t.native() {
			mints = append(mints, t.Mint)
		}
	}
	err := m.nodes.ask(ctx, func(ctx context.Context, e Endpoint) error {
		genesis, err := m.nodes.genesis(ctx, e)
		if err != nil {
			return err
		}
		if m.Custody, err = NewCustody(cfg.Chain, genesis, cfg.Secret); err != nil || len(mints) == 0 {
			return err
		}
		accounts, err := m.nodes.accounts(ctx, e, confirmed, 0, mints)
		if err != nil {
			return err
		}
		for _, mint := range mints {
			if err := m.tokens[mint].CheckMint(accounts[mint]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Signer is the wallet that pays the fees.
func (m *Mover) Signer() settlement.Address { return m.FeePayer() }

// Balance is what the signer has for fees, in lamports, at the final slot.
func (m *Mover) Balance(ctx context.Context) (settlement.Amount, error) {
	payer, lamports := m.payer.Address(), uint64(0)
	err := m.nodes.ask(ctx, func(ctx context.Context, e Endpoint) error {
		accounts, err := m.nodes.accounts(ctx, e, finalized, 0, []sdk.PublicKey{payer})
		if account := accounts[payer]; err == nil && account != nil {
			lamports = account.Lamports
		}
		return err
	})
	return settlement.NewAmount(lamports), err
}

// payout is what a slot is for, as its calldata holds it: the transaction of all its attempts but for blockhash and fees.
type payout struct {
	Do         task          `json:"do,omitempty"` // empty: pays the legs
	Vault      sdk.PublicKey `json:"vault"`
	Derivation derivation    `json:"derivation"`
	Mint       sdk.PublicKey `json:"mint"` // zero for SOL
	Legs       []Leg         `json:"legs"`
	Dust       sdk.PublicKey `json:"dust,omitzero"` // as of a Release
	Memo       string        `json:"memo"`
	RentTo     sdk.PublicKey `json:"rent_to"`
}

// task is what a slot's transaction is for.
type task string

// Tasks beside payouts.
const (
	opens         task = "open"  // makes the wallet's token account
	closesAccount task = "close" // closes it, empty
)

type derivation struct {
	Marketplace string `json:"marketplace"`
	Order       []byte `json:"order"`
	Generation  uint32 `json:"generation"`
	Epoch       uint32 `json:"epoch"`
}

// plan is the transaction that carries the payout out.
func (m *Mover) plan(p payout, unitPrice uint64) (plan, error) {
	token, ok := m.tokens[p.Mint]
	switch {
	case !ok:
		return nil, refused(RefusedMint, "mint %s is none that is held", p.Mint)
	case p.Do != "" && token.native():
		return nil, refused(RefusedAccount, "SOL needs no token account")
	case p.Do != "":
		return TokenAccount{
			Wallet: p.Vault, Token: token, Closes: p.Do == closesAccount, FeePayer: m.payer.Address(), UnitPrice: unitPrice, Reserve: m.cfg.Policy.Reserve,
		}, nil
	}
	return Release{
		Vault: p.Vault, Token: token, Legs: p.Legs, Dust: p.Dust, Memo: p.Memo, RentTo: p.RentTo, FeePayer: m.payer.Address(), UnitPrice: unitPrice,
	}, nil
}

// payoutFrom is a payout of the vault without legs.
func (m *Mover) payoutFrom(v settlement.Vault) (payout, error) {
	w, err := m.wallet(v)
	if err != nil {
		return payout{}, err
	}
	d := v.Derived
	p := payout{Vault: w.Address(), Derivation: derivation{d.Marketplace, d.Order[:], d.Generation, d.Epoch}}
	if v.Token != "" {
		p.Mint, err = publicKey(v.Token)
	}
	return p, err
}

// payoutOf is the payout of one movement.
func (m *Mover) payoutOf(mv settlement.Movement) (payout, error) {
	p, err := m.payoutFrom(mv.Vault)
	if err != nil {
		return p, err
	}
	p.Memo = fmt.Sprintf("settler %s/%d", mv.Payment, mv.Part)
	var payee, payer sdk.PublicKey
	if payee, err = publicKey(mv.Vault.Payee); err == nil {
		payer, err = publicKey(mv.Vault.Payer)
	}
	if p.RentTo = payer; mv.Vault.Derived.RentOurs {
		p.RentTo = m.payer.Address()
	}
	for _, leg := range []struct {
		to     sdk.PublicKey
		amount settlement.Amount
	}{{payee, mv.ToPayee}, {payer, mv.ToPayer}} {
		units := leg.amount.Big()
		if !units.IsUint64() {
			err = fmt.Errorf("%s base units do not fit into 64 bits", leg.amount)
		}
		if units.Sign() > 0 {
			p.Legs = append(p.Legs, Leg{leg.to, units.Uint64()})
		}
	}
	// Of a split somebody has decided how much the payer gets, and what is refunded is more.
	if mv.Purpose == settlement.PayoutRelease && p.Mint.IsZero() && len(p.Legs) == 2 && p.Legs[1].Amount < RentExempt(0) {
		p.Dust = payer
	}
	return p, err
}

// Prepare reads the vault at the final slot. It takes one movement: a transaction has room for no second vault.
func (m *Mover) Prepare(ctx context.Context, movements []settlement.Movement) (settlement.Prepared, error) {
	switch len(movements) {
	case 0:
		return settlement.Prepared{}, nil
	case 1:
	default:
		return settlement.Prepared{}, fmt.Errorf("%d movements, a transaction carries out one", len(movements))
	}
	mv := movements[0]
	p, err := m.payoutOf(mv)
	if err != nil {
		return settlement.Prepared{}, fmt.Errorf("vault of payment %s: %w", mv.Payment, err)
	}
	err = m.nodes.ask(ctx, func(ctx context.Context, e Endpoint) error {
		plan, err := m.plan(p, firstPrice)
		if err != nil {
			return err
		}
		_, err = m.build(ctx, e, plan, 0, sdk.Hash{})
		return err
	})
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		reason := settlement.PayoutRefused
		if errors.Is(refusal, settlement.ErrNotHeld) {
			reason = settlement.VaultShort
		}
		return settlement.Prepared{Refused: []settlement.RefusedMovement{{Movement: mv, Reason: reason, Detail: refusal.Error()}}}, nil
	}
	if err != nil {
		return settlement.Prepared{}, err
	}
	data, err := json.Marshal(p)
	if err != nil {
		return settlement.Prepared{}, fmt.Errorf("encode the payout: %w", err)
	}
	return settlement.Prepared{Call: settlement.Call{Target: mv.Vault.Address, Data: data, Gas: UnitLimit}, Movements: movements}, nil
}

// build makes the plan's transaction of the accounts as they are at the final slot, which is the given one or later: mint, vault
// and receivers are checked.
func (m *Mover) build(ctx context.Context, e Endpoint, r plan, slot uint64, blockhash sdk.Hash) (*sdk.Transaction, error) {
	keys, err := r.Accounts()
	if err != nil {
		return nil, err
	}
	accounts, err := m.nodes.accounts(ctx, e, finalized, slot, keys)
	if err != nil {
		return nil, err
	}
	return r.Build(accounts, blockhash)
}

// Sign signs the slot's transaction with a blockhash of now, once the policy and the accounts as they are now allow it. The error
// is a *Refusal when they do not: nothing was signed.
func (m *Mover) Sign(ctx context.Context, slot settlement.Slot, call settlement.Call, last *settlement.Fees, _ bool) (settlement.SignedTx, error) {
	var out settlement.SignedTx
	var p payout
	if err := json.Unmarshal(call.Data, &p); err != nil {
		return out, fmt.Errorf("decode the payout: %w", err)
	}
	price := uint64(firstPrice)
	if last != nil {
		price = last.Max.Big().Uint64() * priceRise
	}
	price = min(price, m.cfg.Policy.MaxUnitPrice)
	r, err := m.plan(p, price)
	if err != nil {
		return out, err
	}
	wallet, err := m.walletOf(p, call.Target)
	if err != nil {
		return out, err
	}
	switch r := r.(type) {
	case Release:
		err = m.cfg.Policy.judge(ctx, m.cfg.Books, m.cfg.Chain, r, slot)
	case TokenAccount:
		err = m.cfg.Policy.judgeAccount(ctx, m.cfg.Books, m.cfg.Chain, r, slot)
	}
	if err != nil {
		return out, err
	}
	var tx *sdk.Transaction
	err = m.nodes.ask(ctx, func(ctx context.Context, e Endpoint) error {
		hash, height, err := m.nodes.blockhash(ctx, e)
		if err != nil {
			return err
		}
		out.LastHeight = height
		tx, err = m.build(ctx, e, r, 0, hash)
		return err
	})
	if err != nil {
		return out, err
	}
	// An endpoint that tells too low a height would have us sign a second transaction beside a living one.
	for _, e := range m.cfg.Endpoints {
		if height, err := m.nodes.height(ctx, e); err == nil {
			out.LastHeight = max(out.LastHeight, height+lifetime)
		}
	}
	if p.Do != opens { // nothing leaves the wallet
		err = wallet.Sign(tx)
	}
	if err = errors.Join(err, m.payer.Sign(tx)); err != nil {
		return out, err
	}
	out.TxID, out.Fees.Max = settlement.TxID(tx.Signatures[0][:]), settlement.NewAmount(price)
	out.Raw, err = tx.MarshalBinary()
	return out, err
}

// walletOf derives the wallet of the payout, which must be the one that the slot names.
func (m *Mover) walletOf(p payout, target settlement.Address) (Wallet, error) {
	if len(p.Derivation.Order) != len(settlement.PaymentID{}) {
		return Wallet{}, fmt.Errorf("the payout names an order by %d bytes", len(p.Derivation.Order))
	}
	d := settlement.Derivation{
		Marketplace: p.Derivation.Marketplace, Order: settlement.PaymentID(p.Derivation.Order), Generation: p.Derivation.Generation, Epoch: p.Derivation.Epoch,
	}
	if addressOf(p.Vault) != target {
		return Wallet{}, fmt.Errorf("the payout is of vault %s, and its slot of another", p.Vault)
	}
	return m.wallet(settlement.Vault{Chain: m.cfg.Chain, Address: target, Derived: &d})
}

// Send hands the bytes to every endpoint. It is enough that one takes them: what becomes of them is for Outcome to say.
func (m *Mover) Send(ctx context.Context, raw []byte) error { return m.nodes.send(ctx, raw) }

// Outcome says what has become of the slot. That a transaction succeeded proves nothing: the vault's account, which it has
// closed, does.
func (m *Mover) Outcome(ctx context.Context, _ settlement.Slot, call settlement.Call, signed []settlement.SignedTx, movements []settlement.Movement) (settlement.SlotOutcome, error) {
	var p payout
	if err := json.Unmarshal(call.Data, &p); err != nil {
		return settlement.SlotOutcome{}, fmt.Errorf("decode the payout: %w", err)
	}
	r, err := m.plan(p, firstPrice)
	if err != nil {
		return settlement.SlotOutcome{}, err
	}
	var out settlement.SlotOutcome
	err = m.nodes.ask(ctx, func(ctx context.Context, e Endpoint) (err error) {
		out, err = m.outcome(ctx, e, p, signed, movements)
		return err
	})
	if err != nil || out.Fate != settlement.SlotExpired {
		return out, err
	}
	agree := []string{}
	var faults []error
	for _, e := range m.cfg.Endpoints {
		if slices.Contains(agree, e.operator()) {
			continue
		}
		each, err := m.outcome(ctx, e, p, signed, movements)
		if err == nil && each.Fate == settlement.SlotExpired {
			err = m.unmoved(ctx, e, r, signed)
		}
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("endpoint %s: %w", e.Name, err))
		case each.Fate != settlement.SlotExpired:
			return each, nil
		default:
			agree = append(agree, e.operator())
		}
	}
	if len(agree) < 2 {
		return settlement.SlotOutcome{}, fmt.Errorf("the transactions of vault %s seem to have expired, by the word of %d operator(s), and two are needed: %w",
			p.Vault, len(agree), errors.Join(faults...))
	}
	return out, nil
}

// outcome is what one endpoint says.
func (m *Mover) outcome(ctx context.Context, e Endpoint, p payout, signed []settlement.SignedTx, movements []settlement.Movement) (settlement.SlotOutcome, error) {
	slot, height, err := m.nodes.final(ctx, e)
	if err != nil {
		return settlement.SlotOutcome{}, err
	}
	ids, last := make([]string, len(signed)), uint64(0)
	for i, s := range signed {
		ids[i], last = sdk.SignatureFromBytes([]byte(s.TxID)).String(), max(last, s.LastHeight)
	}
	statuses, at, err := m.nodes.statuses(ctx, e, ids)
	if err != nil {
		return settlement.SlotOutcome{}, err
	}
	for i, s := range statuses {
		switch {
		case s == nil:
		case s.ConfirmationStatus != finalized:
			return settlement.SlotOutcome{Fate: settlement.SlotIncluded, TxID: signed[i].TxID}, nil
		default:
			return m.final(ctx, e, p, signed[i].TxID, ids[i], movements)
		}
	}
	if height > last {
		if at < slot { // behind one address there may be several nodes, and one that is behind knows of no transaction
			return settlement.SlotOutcome{}, fmt.Errorf("it tells of final slot %d, and then of transactions at slot %d", slot, at)
		}
		return settlement.SlotOutcome{Fate: settlement.SlotExpired}, nil
	}
	return settlement.SlotOutcome{Fate: settlement.SlotWaiting}, nil
}

// final reads what a final transaction did.
func (m *Mover) final(ctx context.Context, e Endpoint, p payout, txid settlement.TxID, id string, movements []settlement.Movement) (settlement.SlotOutcome, error) {
	tx, err := m.nodes.carriedOut(ctx, e, id)
	if err != nil {
		return settlement.SlotOutcome{}, err
	}
	account, token := p.Vault, m.tokens[p.Mint]
	if !token.native() {
		if account, err = token.account(p.Vault); err != nil {
			return settlement.SlotOutcome{}, err
		}
	}
	at := slices.Index(tx.keys(), account)
	if at < 0 {
		return settlement.SlotOutcome{}, fmt.Errorf("transaction %s is final, and what it did is incomplete or another's", id)
	}
	before, after := tx.Meta.PreBalances[at], tx.Meta.PostBalances[at]
	out := settlement.SlotOutcome{Fate: settlement.SlotFinal, TxID: txid, Parts: make([]settlement.PartOutcome, 1)}
	problem := tx.problem()
	switch {
	case problem != "":
		out.Parts[0].Problem = problem
	case (after == 0) == (p.Do == opens):
		return settlement.SlotOutcome{}, fmt.Errorf("transaction %s succeeded, and account %s holds %d lamports", id, account, after)
	default:
		out.Parts[0].Paid = true
	}
	if len(movements) == 1 && problem == "" { // of all that pays the wallet out
		for _, leg := range p.Legs {
			kept := &out.Parts[0].Withheld.ToPayer
			if addressOf(leg.To) == movements[0].Vault.Payee {
				kept = &out.Parts[0].Withheld.ToPayee
			}
			if *kept, err = tx.withheld(token, leg); err != nil {
				return settlement.SlotOutcome{}, err
			}
			if at := slices.Index(tx.keys(), incinerator); at >= 0 && leg.To == p.Dust {
				*kept, out.Parts[0].Burnt = settlement.NewAmount(leg.Amount), addressOf(incinerator)
			}
		}
	}
	var rent, back uint64
	switch {
	case problem != "":
	case p.Do == opens:
		rent = after - min(after, before)
	case p.Do == closesAccount || p.RentTo == m.payer.Address():
		back = before
	}
	// What the fee payer has spent is the fee, and the rent of accounts that are the receivers'.
	spent := tx.Meta.PreBalances[0] + back - tx.Meta.PostBalances[0] - rent
	if spent > tx.Meta.PreBalances[0] {
		return settlement.SlotOutcome{}, fmt.Errorf("transaction %s is final, and its fee payer has more than before", id)
	}
	out.Gas, out.Rent, out.RentBack = settlement.NewAmount(spent), settlement.NewAmount(rent), settlement.NewAmount(back)
	return out, nil
}

// unmoved checks that one endpoint has the history to say that a transaction is in no block, that it knows their blockhashes as
// expired, whatever height they were told to live to, and that the vault holds what it did.
func (m *Mover) unmoved(ctx context.Context, e Endpoint, r plan, signed []settlement.SignedTx) error {
	slot, _, err := m.nodes.final(ctx, e)
	if err != nil {
		return err
	}
	first := signed[0].LastHeight
	for _, s := range signed {
		first = min(first, s.LastHeight)
		tx, err := sdk.TransactionFromBytes(s.Raw)
		if err != nil {
			return fmt.Errorf("decode a transaction of ours: %w", err)
		}
		switch valid, err := m.nodes.valid(ctx, e, tx.Message.RecentBlockhash); {
		case err != nil:
			return err
		case valid:
			return fmt.Errorf("blockhash %s has not expired, above block height %d", tx.Message.RecentBlockhash, s.LastHeight)
		}
	}
	if err := m.nodes.reaches(ctx, e, first-min(first, 2*lifetime)); err != nil {
		return err
	}
	_, err = m.build(ctx, e, r, slot, sdk.Hash{})
	if errors.Is(err, settlement.ErrNotSigned) {
		err = nil // Sign says what is wrong with the receivers
	}
	return err
}
