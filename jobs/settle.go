package jobs

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// settle decides for each confirmation in the batch whether the transfer is this payment's, and consumes it. One that
// is not becomes a mispayment: money moved, and it settles another order or none.
func (r *Runner) settle(ctx context.Context, tx pgx.Tx, b *batch, now time.Time) error {
	b.consumed, b.unfit = nil, make(map[int]string)
	if err := b.findRepeated(ctx, tx); err != nil {
		return err
	}
	trial, _ := b.run() // what would be accepted at all
	b.consumed = make(map[int]bool)
	if err := bindVaults(ctx, tx, b, trial); err != nil {
		return err
	}
	if err := b.accept(ctx, tx, trial, now); err != nil {
		return err
	}
	if err := r.divide(ctx, tx, b, trial); err != nil {
		return err
	}

	var places []int
	var transfers []store.SeenTransfer
	var chains []settlement.ChainID
	var sightings []settlement.Sighting
	for i, e := range b.events {
		if !consumes(e) || e.Sighting == nil || errors.Is(trial[i].Err, ErrDuplicate) {
			continue
		}
		p, ok := b.before[e.Payment]
		if !ok {
			continue
		}
		if trial[i].Err != nil {
			switch p := trial[i].Payment; {
			case p.Settled() && (p.PaidBy != e.Sighting.TxID || e.Kind == settlement.EventPaymentPart):
				b.mispaid(i, "", "a second transfer for a payment that is settled")
			case !p.Settled() && p.State.Final():
				b.mispaid(i, settlement.PaymentLate, "the payment was closed before")
			case p.State.Open() && e.Kind == settlement.EventPaymentPart:
				b.mispaid(i, settlement.AmountMismatch, "with the parts before it this is more than the price")
				b.events[i].Sighting.Verdict.Detail = settlement.Over
			}
			continue
		}
		places = append(places, i)
		chains = append(chains, p.Terms.Token.Chain)
		sightings = append(sightings, *e.Sighting)
		transfers = append(transfers, store.SeenTransfer{Payment: e.Payment, Chain: p.Terms.Token.Chain, Sighting: *e.Sighting})
	}
	if len(places) == 0 {
		return nil
	}
	open, err := store.OpenForTransfers(ctx, tx, chains, sightings)
	if err != nil {
		return err
	}
	var owned []store.SeenTransfer
	var ownedPlaces []int
	for n, i := range places {
		code, ok := attributionOf(b.events[i].Payment, settlement.Attribute(sightings[n].Transfer, open[n]))
		if !ok || code != "" {
			b.mispaid(i, cmp.Or(code, settlement.TransferAmbiguous), "the transfer may belong to another order")
			continue
		}
		owned = append(owned, transfers[n])
		ownedPlaces = append(ownedPlaces, i)
	}
	owners, err := store.ConsumeTransfers(ctx, tx, owned, now)
	if err != nil {
		return err
	}
	for n, i := range ownedPlaces {
		key := store.TransferKey{Chain: owned[n].Chain, TxID: owned[n].Sighting.TxID, Position: owned[n].Sighting.Transfer.Position}
		if owners[key] == b.events[i].Payment {
			b.consumed[i] = true
			continue
		}
		b.mispaid(i, settlement.TransferAlreadyUsed, "the transfer settled another order")
	}
	// Whose it is was open when it was seen, and is known now: it is nothing to the others.
	for i, e := range b.events {
		p, ok := b.before[e.Payment]
		if !ok || e.Kind != settlement.EventPaymentMispaid || e.Sighting == nil || e.Sighting.Verdict.Code != settlement.TransferAmbiguous {
			continue
		}
		key := store.TransferKey{Chain: p.Terms.Token.Chain, TxID: e.Sighting.TxID, Position: e.Sighting.Transfer.Position}
		if owner, ok := owners[key]; ok && owner != e.Payment {
			e.Kind, e.Reason, e.Detail = settlement.EventTransferWithdrawn, "", "the transfer is another order's"
			b.events[i] = e
		}
	}
	return nil
}

// findRepeated finds the events about transfers that are parts of their payment already, so that none is counted twice.
func (b *batch) findRepeated(ctx context.Context, tx pgx.Tx) error {
	b.repeated = make(map[int]bool)
	type part struct {
		payment settlement.PaymentID
		key     store.TransferKey
	}
	var chains []string
	var transfers []store.SeenTransfer
	parts := make(map[int]part)
	for i, e := range b.events {
		p, ok := b.before[e.Payment]
		if !ok || !consumes(e) || e.Sighting == nil || !p.Terms.Parts {
			continue
		}
		chain := p.Terms.Token.Chain
		chains = append(chains, string(chain))
		transfers = append(transfers, store.SeenTransfer{Chain: chain, Sighting: *e.Sighting})
		parts[i] = part{e.Payment, store.TransferKey{Chain: chain, TxID: e.Sighting.TxID, Position: e.Sighting.Transfer.Position}}
	}
	if len(parts) == 0 {
		return nil
	}
	rows, err := store.Consumed(ctx, tx, chains, transfers)
	if err != nil {
		return err
	}
	counted := make(map[part]bool)
	for _, c := range rows {
		counted[part{c.Payment, c.Key}] = true
	}
	for i := range b.events {
		if p, ok := parts[i]; ok {
			b.repeated[i], counted[p] = counted[p], true
		}
	}
	return nil
}

// accept consumes the transfers that people accept, as what pays or beside it. What an acceptance says of a transfer but its name
// is not believed: it is one that is stored for the payment, final, in its token and to its payee. One that has settled another
// order pays no second one.
func (b *batch) accept(ctx context.Context, tx pgx.Tx, trial []Result, now time.Time) error {
	var places []int
	var ids []settlement.PaymentID
	for i, e := range b.events {
		if e.Kind != settlement.EventAcceptedAsPaid && e.Kind != settlement.EventTransferAccepted {
			continue
		}
		p := b.before[e.Payment]
		switch {
		case trial[i].Err != nil || e.Sighting == nil:
			b.unfit[i] = "the payment cannot be accepted as paid by it"
		case e.Kind == settlement.EventAcceptedAsPaid && p.Settled(): // by this transaction: consumed before, and a person wants it to count still
		default:
			b.unfit[i] = "no final transfer of the payment's token to its payee is stored under this name"
			places, ids = append(places, i), append(ids, e.Payment)
		}
	}
	if len(places) == 0 {
		return nil
	}
	seen, err := store.TransfersOf(ctx, tx, ids)
	if err != nil {
		return err
	}
	var accepted []store.SeenTransfer
	var of []int
	for _, i := range places {
		e := b.events[i]
		terms, named := b.before[e.Payment].Terms, e.Sighting
		for _, s := range seen {
			if s.Payment != e.Payment || s.Sighting.TxID != named.TxID || s.Sighting.Transfer.Position != named.Transfer.Position || !acceptable(terms, s) {
				continue
			}
			sighting := s.Sighting
			switch {
			case s.Consumed && e.Kind == settlement.EventTransferAccepted:
				b.unfit[i] = "the transfer counts already"
				continue
			case s.Consumed: // a part, which is counted already
				sighting.Transfer.Amount = settlement.Amount{}
			}
			b.events[i].Sighting = &sighting
			accepted, of = append(accepted, s), append(of, i)
		}
	}
	owners, err := store.ConsumeTransfers(ctx, tx, accepted, now)
	if err != nil {
		return err
	}
	counted := make(map[store.TransferKey]bool)
	for n, i := range of {
		s := accepted[n]
		key := store.TransferKey{Chain: s.Chain, TxID: s.Sighting.TxID, Position: s.Sighting.Transfer.Position}
		b.unfit[i] = ""
		switch {
		case owners[key] != s.Payment:
			b.unfit[i] = "the transfer has settled another order"
		case counted[key]:
			b.unfit[i] = "the transfer counts already"
		}
		counted[key] = true
	}
	return nil
}

// acceptable reports whether people may accept the transfer as what pays a payment of these terms, if it has settled no other one.
func acceptable(terms settlement.Terms, s store.SeenTransfer) bool {
	t := s.Sighting.Transfer
	return s.Status == store.TransferFinal && s.Chain == terms.Token.Chain && t.Token == terms.Token.Address && t.Payee == terms.Payee
}

// decides reports whether the event says that money is divided or goes back.
func decides(e settlement.Event) bool { return e.Kind.Divides() || e.Kind.Returns() }

// unfit says why the decision cannot be carried out with what is held, empty where it can.
func (r *Runner) unfit(p settlement.Payment, e settlement.Event, h settlement.Held) string {
	why := p.Unfit(e, h)
	part := !h.Direct && (e.Kind == settlement.EventPartialRefundApproved || e.Kind == settlement.EventSurplusRefundApproved && p.Surplus(h) != h.Amount)
	if chain := r.chains[p.Terms.Token.Chain]; why == "" && part && chain.Escrow != nil && chain.Escrow.Epoch != 0 {
		return "the vault is a wallet, which is emptied by whatever is paid out of it"
	}
	return why
}

// divide turns away decisions that do not divide what is held as it is now.
func (r *Runner) divide(ctx context.Context, tx pgx.Tx, b *batch, trial []Result) error {
	var ids []settlement.PaymentID
	for i, e := range b.events {
		if trial[i].Err == nil && decides(e) {
			ids = append(ids, e.Payment)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	held, err := store.HeldFor(ctx, tx, ids)
	if err != nil {
		return err
	}
	for i, e := range b.events {
		if trial[i].Err != nil || !decides(e) {
			continue
		}
		p, h := trial[i].Payment, held[e.Payment]
		b.unfit[i] = r.unfit(p, e, h)
		h.Moving = h.Moving || b.unfit[i] == ""
		held[e.Payment] = h
	}
	return nil
}

// attributionOf is the attribution of one payment among several.
func attributionOf(id settlement.PaymentID, attributions []settlement.Attribution) (settlement.Code, bool) {
	for _, a := range attributions {
		if a.Payment == id {
			return a.Code, true
		}
	}
	return "", false
}

func (b *batch) mispaid(i int, code settlement.Code, detail string) {
	e := b.events[i]
	sighting := *e.Sighting
	if code != "" {
		sighting.Verdict.Code, sighting.Verdict.Detail = code, ""
	}
	if sighting.Verdict.IsPart() { // it is none any more
		sighting.Verdict.Detail = settlement.Under
	}
	e.Kind, e.Reason, e.Detail, e.Sighting = settlement.EventPaymentMispaid, code, detail, &sighting
	b.events[i] = e
}
