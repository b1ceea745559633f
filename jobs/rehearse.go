package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

const (
	// rehearsalReclaim is how long after its beginning the second vault of a rehearsal can be reclaimed, and rehearsalHold the first one,
	// out of which the operator pays before.
	rehearsalReclaim, rehearsalHold = time.Minute, 24 * time.Hour
	// rehearsalPatience is how long after that a vault may go on refusing.
	rehearsalPatience = 15 * time.Minute
)

// Rehearsing is what a rehearsal needs beside the chain's escrow.
type Rehearsing struct {
	Chain settlement.ChainID
	Token settlement.Address
	Code  settlement.VaultCode
	// Wallet has the key of the account that pays and reclaims: it has one base unit of the token, coin for gas, and no other use.
	Wallet Mover
	// What is called: the token's transfer of an amount, the operator's payment, the payer's reclaim.
	Transfer func(token, to settlement.Address, amount settlement.Amount) settlement.Call
	Pay      func(settlement.Movement) (settlement.Call, error)
	Reclaim  func(settlement.Vault) (settlement.Call, error)
	// Say tells a person how far it is.
	Say func(format string, args ...any)
}

// rehearsalStep is a call of a rehearsal and the transfer of one base unit that it must make.
type rehearsalStep struct {
	name     string
	needs    string // what must be the case, for people
	by       lane
	call     settlement.Call
	from, to settlement.Address
	after    time.Time // the contract refuses it before
}

// errGivenUp means that a step was carried out and has not done what it should: the next rehearsal begins anew.
type errGivenUp struct{ problem string }

func (e errGivenUp) Error() string { return e.problem }

// Rehearse brings one base unit of the token through two vaults of the chain and back to the wallet: paid into the first by a plain
// transfer, paid out of it by the operator to the second, and reclaimed there. What is seen of it is final, and confirmed by the chain's
// verifier. Then it is recorded, and vaults of the token may be handed out.
//
// Each call is a slot of its signer's nonces, so that one that was broken off is continued and does nothing twice. A running service that
// holds the operator's nonces carries out the operator's; nothing else is begun here with either key.
func (r *Runner) Rehearse(ctx context.Context, q Rehearsing) error {
	chain, ok := r.chains[q.Chain]
	if !ok || chain.Escrow == nil || chain.Escrow.Try == nil {
		return fmt.Errorf("chain %q has no escrow that could be rehearsed", q.Chain)
	}
	locks, err := openLocks(ctx, r.cfg.DirectURL)
	if err != nil {
		return err
	}
	defer locks.close()
	wallet := lane{mover: q.Wallet, bumpAfter: chain.Escrow.BumpAfter, batch: 1, rehearsal: true}
	operator := lane{mover: chain.Escrow.Mover, bumpAfter: chain.Escrow.BumpAfter, batch: 1, rehearsal: true}
	if ok, err := locks.take(ctx, signerKey(chain.ID, q.Wallet.Signer())); err != nil || !ok {
		return errors.Join(err, errors.New("another rehearsal with this wallet is under way"))
	}
	if err := r.walletAnew(ctx, chain, wallet); err != nil {
		return err
	}
	going, err := r.rehearsalUnderWay(ctx, chain, q)
	if err != nil {
		return err
	}
	var vaults [2]settlement.Vault
	for i, address := range []settlement.Address{going.PaidVault, going.ReclaimedVault} {
		kept, err := store.VaultAt(ctx, r.cfg.Pool, chain.ID, address)
		if err != nil {
			return err
		}
		vaults[i] = kept.Vault
	}
	one := settlement.NewAmount(1)
	steps := []rehearsalStep{
		{name: "deposit", needs: "the wallet must have one base unit of the token", by: wallet, call: q.Transfer(q.Token, going.PaidVault, one), from: going.Wallet, to: going.PaidVault},
		{name: "pay", needs: "the signer of the escrow must be the operator, in time", by: operator, from: going.PaidVault, to: going.ReclaimedVault},
		{name: "reclaim", needs: "its deadline must have passed by the chain's clock", by: wallet, from: going.ReclaimedVault, to: going.Wallet, after: vaults[1].ReclaimAt},
	}
	var errs [2]error
	steps[1].call, errs[0] = q.Pay(settlement.Movement{Vault: vaults[0], Division: settlement.Division{ToPayee: one}})
	steps[2].call, errs[1] = q.Reclaim(vaults[1])
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	var txids []settlement.TxID
	for _, step := range steps {
		txid, err := r.rehearse(ctx, chain, locks, step, q)
		if failed, ok := errors.AsType[errGivenUp](err); ok {
			return errors.Join(fmt.Errorf("%s: %w", step.name, err), store.EndRehearsal(ctx, r.cfg.Pool, going.ID, nil, plainText(step.name+": "+failed.problem), r.now()))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		q.Say("%s is final: %s", step.name, chain.FormatTxID(txid))
		txids = append(txids, txid)
	}
	return store.EndRehearsal(ctx, r.cfg.Pool, going.ID, txids, "", r.now())
}

// walletAnew lets a wallet that somebody has used elsewhere since go on with the chain's nonce.
func (r *Runner) walletAnew(ctx context.Context, chain Chain, wallet lane) error {
	known, err := store.ReadSigner(ctx, r.cfg.Pool, chain.ID, wallet.mover.Signer())
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	first, err := wallet.mover.Prepare(ctx, nil)
	if err != nil {
		return fmt.Errorf("read the wallet's nonce: %w", err)
	}
	if first.Nonce <= known.NextNonce && known.Stopped == "" {
		return nil
	}
	return r.begin(ctx, "wallet", func(tx pgx.Tx) error {
		if err := store.StopSigner(ctx, tx, known, "the wallet was used elsewhere", r.now()); err != nil {
			return err
		}
		return store.RestartSigner(ctx, tx, chain.ID, known.Address, first.Nonce, r.now())
	})
}

// rehearsalUnderWay is the token's rehearsal that was broken off, or one that begins now. One of other code, or with other keys, is given up.
func (r *Runner) rehearsalUnderWay(ctx context.Context, chain Chain, q Rehearsing) (store.Rehearsal, error) {
	e := chain.Escrow
	going, err := store.RehearsalUnderWay(ctx, r.cfg.Pool, chain.ID, q.Token)
	switch {
	case err == nil && going.Code == q.Code && going.Wallet == q.Wallet.Signer() && going.Operator == e.Mover.Signer():
		return going, nil
	case err == nil:
		if err := store.EndRehearsal(ctx, r.cfg.Pool, going.ID, nil, "given up for one of other code or with other keys", r.now()); err != nil {
			return going, err
		}
	case !errors.Is(err, store.ErrNotFound):
		return going, err
	}
	now := r.now()
	going = store.Rehearsal{Chain: chain.ID, Token: q.Token, Code: q.Code, Wallet: q.Wallet.Signer(), Operator: e.Mover.Signer()}
	vault := func(reference string, payee settlement.Address, reclaimAt time.Time) (settlement.Vault, error) {
		v := settlement.Vault{
			Chain: chain.ID, OrderKey: r.orderKey("", reference), Token: q.Token, Amount: settlement.NewAmount(1), Payer: going.Wallet, Payee: payee,
			Operator: going.Operator, Arbiter: e.Arbiter, ReclaimAt: reclaimAt.Truncate(time.Second), DisputeAt: reclaimAt.Add(rehearsalHold).Truncate(time.Second),
		}
		var err error
		v.Address, err = e.Instrument.Address(v)
		return v, err
	}
	reference := fmt.Sprintf("rehearsal/%s/%s/%d", chain.ID, chain.FormatAddress(q.Token), now.UnixMicro())
	second, err := vault(reference+"/2", q.Code.Factory, now.Add(rehearsalReclaim))
	if err != nil {
		return going, err
	}
	first, err := vault(reference+"/1", second.Address, now.Add(rehearsalHold))
	if err != nil {
		return going, err
	}
	going.PaidVault, going.ReclaimedVault = first.Address, second.Address
	err = r.begin(ctx, "rehearsal", func(tx pgx.Tx) error {
		for i, v := range []settlement.Vault{first, second} {
			if _, err := store.KeepVault(ctx, tx, "", fmt.Sprintf("%s/%d", reference, i+1), v, now); err != nil {
				return err
			}
		}
		return store.StartRehearsal(ctx, tx, going, now)
	})
	if err != nil {
		return going, err
	}
	return store.RehearsalUnderWay(ctx, r.cfg.Pool, chain.ID, q.Token)
}

// rehearse carries a step out, or waits until whoever holds the signer has.
func (r *Runner) rehearse(ctx context.Context, chain Chain, locks *locks, step rehearsalStep, q Rehearsing) (settlement.TxID, error) {
	m := r.newMove(chain, step.by)
	held, said := m.signer.Address == q.Wallet.Signer(), ""
	for {
		halted, err := m.halted(ctx, r.cfg.Pool)
		if err != nil {
			return "", err
		}
		if halted != "" {
			return "", errors.New(halted)
		}
		slots, err := store.SlotsOfCall(ctx, r.cfg.Pool, chain.ID, m.signer.Address, step.call)
		waits := ""
		switch {
		case err != nil:
			return "", err
		case slots.Failed > 0:
			return "", errGivenUp{slots.Problem}
		case slots.Made && slots.TxID != "":
			if err = chain.movedOut(ctx, slots.TxID, step.from, q.Token, leg{to: step.to, amount: settlement.NewAmount(1)}); err == nil {
				return slots.TxID, nil
			}
			if errors.Is(err, errNotMoved) {
				return "", errGivenUp{err.Error()}
			}
			waits = err.Error()
		case !slots.Made:
			waits, err = m.reserve(ctx, step)
			if err != nil {
				return "", err
			}
		}
		if !held {
			if held, err = locks.take(ctx, signerKey(chain.ID, m.signer.Address)); err != nil {
				return "", err
			}
		}
		if held {
			if err := m.step(ctx); err != nil {
				waits = err.Error()
			}
			if m.signer.Stopped != "" {
				return "", errors.New(m.stopped())
			}
		}
		if waits != said && waits != "" {
			q.Say("%s: %s", step.name, waits)
		}
		said = waits
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(chain.PollInterval):
		}
	}
}

// reserve takes the signer's next nonce for the step's call, once the contract would not refuse it any more; until then it says why.
func (m *move) reserve(ctx context.Context, step rehearsalStep) (waits string, err error) {
	refusal, err := m.chain.Escrow.Try(ctx, m.signer.Address, step.call)
	switch {
	case err != nil: // it is asked again
		return err.Error(), ctx.Err()
	case refusal != "" && !step.after.IsZero() && m.r.now().Before(step.after.Add(rehearsalPatience)):
		return fmt.Sprintf("is possible from %s on", step.after.Format(time.RFC3339)), nil
	case refusal != "":
		return "", fmt.Errorf("it would be refused, so it is not sent: %s; %s", refusal, step.needs)
	}
	signer, err := store.ReadSigner(ctx, m.r.cfg.Pool, m.chain.ID, m.signer.Address)
	if errors.Is(err, store.ErrNotFound) {
		err = m.record(ctx)
		signer = m.signer
	}
	if look, ok := errors.AsType[*settlement.LookError](err); ok { // as above
		return look.Error(), ctx.Err()
	}
	if err != nil {
		return "", err
	}
	if m.signer = signer; signer.Stopped != "" {
		return "", errors.New(m.stopped())
	}
	// After the signer was read: whoever has taken a nonce for this call before is seen now, and who takes one later changes the signer's
	// next one, so that ours is refused.
	if slots, err := store.SlotsOfCall(ctx, m.r.cfg.Pool, m.chain.ID, m.signer.Address, step.call); err != nil || slots.Made {
		return "", err
	}
	return "", m.r.begin(ctx, "rehearsal prepared", func(tx pgx.Tx) error { return store.ReserveSlot(ctx, tx, signer, step.call, nil, m.r.now()) })
}
