package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/riverqueue/river"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/rails"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// createIntents gives new payments their intent. One that exists is adopted, so a crash after the call that creates it is
// harmless: the next run finds it.
func (r *Runner) createIntents(ctx context.Context, job *river.Job[createIntentsArgs]) error {
	return r.eachPayment(ctx, job.ID, job.Args.Payments, []settlement.State{settlement.StateNew}, false, r.createIntent)
}

// market is what the orchestrator says about an order before it is paid.
type market struct {
	order   orchestration.MarketOrder
	payment *orchestration.MarketPayment // nil while there is no intent
	quote   string                       // price in major units, empty when the order has no quote
	proven  string                       // wallet that signed the order's pairing, empty when there is none
}

func (r *Runner) createIntent(ctx context.Context, t task) outcome {
	p := t.payment
	client := r.marketplaces[p.Marketplace].Client
	if client == nil {
		return r.again(ctx, t, fmt.Errorf("marketplace %q is not in the configuration", p.Marketplace))
	}
	if r.marketplaces[p.Marketplace].Gate.shut() {
		return r.again(ctx, t, ErrHeldBack)
	}
	seen, err := readMarket(ctx, client, p)
	if err != nil {
		return r.again(ctx, t, err)
	}
	terms, refusal, err := r.agree(ctx, p, seen)
	if err != nil {
		return r.again(ctx, t, err)
	}
	if refusal != nil {
		return refused(t, refusal, seen.payment)
	}
	chain := r.chains[terms.Token.Chain]
	if chain.CheckPayee != nil {
		problem, err := chain.CheckPayee(ctx, terms.Payee)
		switch {
		case err != nil:
			return r.again(ctx, t, fmt.Errorf("look at the payee: %w", err))
		case problem != "":
			return refused(t, &rails.Refusal{Code: rails.PayeeInvalid, Detail: problem}, seen.payment)
		}
	}
	if chain.References && terms.Custody != settlement.CustodyVault { // a vault is the order's own, whoever pays into it
		terms.Reference = r.reference(p.ID)
	}
	head, err := chain.heads(ctx)
	if err != nil {
		return r.again(ctx, t, fmt.Errorf("read head of %s: %w", chain.ID, err))
	}
	m := r.marketplaces[p.Marketplace]
	now := r.now()
	terms.NotBefore, terms.FromBlock = now.Add(-m.Skew), head.Latest
	if seen.payment == nil && !p.Observed {
		if seen.payment, err = r.askForPayment(ctx, p, seen.order, terms); err != nil {
			return r.intentFailed(ctx, t, err)
		}
		// What came back may be an intent that somebody else made a moment earlier.
		agreed, refusal, err := r.agree(ctx, p, seen)
		if err != nil {
			return r.again(ctx, t, err)
		}
		if refusal != nil {
			return refused(t, refusal, seen.payment)
		}
		agreed.NotBefore, agreed.FromBlock, agreed.Reference = terms.NotBefore, terms.FromBlock, terms.Reference
		terms = agreed
	}
	var intent orchestration.MarketPayment // stays empty where we may not make one: the order's own terms hold
	if seen.payment != nil {
		intent = *seen.payment
	}
	if made, err := time.Parse(time.RFC3339, intent.CreatedAt); err == nil && made.Add(-m.Skew).Before(terms.NotBefore) {
		// The intent is older than our look: its buyer may have paid in between.
		terms.NotBefore = made.Add(-m.Skew).UTC()
		number, err := store.BlockBefore(ctx, r.cfg.Pool, chain.ID, terms.NotBefore)
		switch {
		case err == nil:
			terms.FromBlock = min(terms.FromBlock, number)
		case !errors.Is(err, store.ErrNotFound):
			return r.again(ctx, t, err)
		}
	}
	terms.NotBefore = terms.NotBefore.Truncate(time.Second) // block times are whole seconds
	terms.Deadline, terms.Grace = now.Add(m.Deadline), m.Grace
	terms = m.Leniency.Apply(terms)

	events := []settlement.Event{{
		ID: string(settlement.EventIntentReady), Payment: p.ID, Kind: settlement.EventIntentReady, Version: p.Version,
		Terms: &terms, Detail: intent.ID, Platform: string(intent.Status),
	}}
	if hint, ok := hinted(p.ID, chain, intent); ok {
		events = append(events, hint)
	}
	return outcome{events: events}
}

// readMarket reads the order, its payment, its quote and its pairing.
func readMarket(ctx context.Context, client *orchestration.Client, p settlement.Payment) (market, error) {
	var seen market
	var err error
	if seen.order, err = client.GetMarketOrder(ctx, p.OrderID); err != nil {
		return seen, fmt.Errorf("read order: %w", err)
	}
	if seen.order.ID != p.OrderID {
		return seen, fmt.Errorf("asked for order %s, the orchestrator answers %s", p.OrderID, plainText(seen.order.ID))
	}
	if seen.payment, err = readPayment(ctx, client, p.OrderID); err != nil {
		return seen, fmt.Errorf("read payment: %w", err)
	}
	if searchID, quoteID := seen.order.SearchID, seen.order.QuoteID; searchID != nil && quoteID != nil {
		search, err := client.GetMarketSearch(ctx, *searchID)
		switch {
		case err == nil:
			for _, q := range search.Quotes {
				if q.ID == *quoteID {
					seen.quote = q.Pricing.Amount.String()
				}
			}
		case !errors.Is(err, orchestration.CodeNotFound): // a search that is gone leaves the server's own amount
			return seen, fmt.Errorf("read quote: %w", err)
		}
	}
	if seen.proven, err = provenWallet(ctx, client, seen.order.MachineID, seen.order.AgentPairingID); err != nil {
		return seen, err
	}
	return seen, nil
}

// provenWallet is the wallet that signed the pairing, empty when none is known to have. Only a signature that the
// orchestrator verified makes the address more than a name.
func provenWallet(ctx context.Context, client *orchestration.Client, machineID, pairingID string) (string, error) {
	for pairing, err := range client.AllAgentPairings(ctx, machineID, orchestration.Page{Limit: listPage}) {
		if err != nil {
			return "", fmt.Errorf("read pairings: %w", err)
		}
		if pairing.ID != pairingID {
			continue
		}
		if v := pairing.Verification; v != nil && strings.EqualFold(v.SignerAddress, pairing.AgentAddress) {
			return pairing.AgentAddress, nil
		}
		return "", nil
	}
	return "", nil
}

// agree compares what the orchestrator says by the rules of rails, and finds who holds the money of an escrow rail.
func (r *Runner) agree(ctx context.Context, p settlement.Payment, seen market) (settlement.Terms, *rails.Refusal, error) {
	switch rail := railOf(seen.order); {
	case !rails.Carried(rail):
		return settlement.Terms{}, railUnsupported(rail), nil
	case rails.Escrow(rail):
		return r.agreeEscrow(ctx, p, seen)
	}
	terms, refusal := r.compare(seen)
	return terms, refusal, nil
}

// compare hands what the orchestrator says to rails.
func (r *Runner) compare(seen market) (settlement.Terms, *rails.Refusal) {
	advice := rails.Named{
		Rail: railOf(seen.order), Chain: seen.order.Payment.Chain, Token: seen.order.Payment.Token,
		TokenAddress: seen.order.Payment.TokenAddress, TokenMint: seen.order.Payment.TokenMint, Payer: seen.order.Payment.PayerAddress, Payee: seen.order.Payment.PayeeAddress,
	}
	price := rails.Price{Quote: seen.quote}
	var intent *rails.Named
	if seen.payment != nil {
		rail := seen.payment.Rail
		intent = &rails.Named{
			Rail: string(rail.Type), Chain: rail.Chain, Token: rail.Token, TokenAddress: rail.TokenAddress, TokenMint: rail.TokenMint,
			Payer: rail.PayerAddress, Payee: rail.PayeeAddress,
		}
		price.Intent, price.Raw = seen.payment.Amount.String(), rawAmount(rail.Metadata)
	}
	chains := make([]rails.Chain, len(r.cfg.Chains))
	for i, c := range r.cfg.Chains {
		chains[i] = rails.Chain{ID: c.ID, Aliases: c.Aliases, Tokens: c.Tokens, References: c.References, ParseAddress: c.ParseAddress}
	}
	return rails.Agree(advice, intent, price, seen.proven, chains)
}

// rawAmount is rail.metadata.rawAmount, which is text or a number on the wire.
func rawAmount(metadata map[string]json.RawMessage) string {
	raw := metadata["rawAmount"]
	if raw == nil {
		raw = metadata["raw_amount"]
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// askForPayment creates the intent with our terms. rawAmount and tokenDecimals travel along, so that no buyer has to work
// them out from a rounded number.
func (r *Runner) askForPayment(ctx context.Context, p settlement.Payment, o orchestration.MarketOrder, terms settlement.Terms) (*orchestration.MarketPayment, error) {
	session, err := r.sessionOf(p.Marketplace, o.MachineID)
	if err != nil {
		return nil, err
	}
	chain := r.chains[terms.Token.Chain]
	rail := orchestration.RailDetails{
		Type: orchestration.RailType(railOf(o)), Chain: o.Payment.Chain, Token: terms.Token.Symbol,
		PayeeAddress: chain.FormatAddress(terms.Payee),
		Metadata: map[string]json.RawMessage{
			"rawAmount":     json.RawMessage(strconv.Quote(terms.Amount.String())),
			"tokenDecimals": json.RawMessage(strconv.Itoa(int(terms.Token.Decimals))),
		},
	}
	switch {
	case terms.Token.Address == "":
	case chain.ID.Namespace() == "solana":
		rail.TokenMint = chain.FormatAddress(terms.Token.Address)
	default:
		rail.TokenAddress = chain.FormatAddress(terms.Token.Address)
	}
	if terms.Custody == settlement.CustodyVault {
		rail.EscrowAddress = rail.PayeeAddress
	}
	if terms.Reference != "" {
		rail.Metadata["reference"] = json.RawMessage(strconv.Quote(chain.FormatAddress(terms.Reference)))
	}
	if payer := cmp.Or(terms.ProvenPayer, terms.NamedPayer); payer != "" {
		rail.PayerAddress = chain.FormatAddress(payer)
	}
	var made orchestration.MarketPayment
	err = session.Do(ctx, func(token orchestration.Secret) (err error) {
		made, err = r.marketplaces[p.Marketplace].Client.CreatePaymentIntent(ctx, token, p.OrderID, orchestration.PaymentIntentRequest{Rail: &rail})
		return err
	})
	if err == nil {
		err = ofOrder(made, p.OrderID)
	}
	if err != nil {
		return nil, fmt.Errorf("create intent: %w", err)
	}
	return &made, nil
}

// intentFailed sorts refusals that no repetition will change from those that time may heal.
func (r *Runner) intentFailed(ctx context.Context, t task, err error) outcome {
	if api, ok := refusalOf(err); ok {
		switch {
		case api.Code == orchestration.CodeOrderClosed:
			return refused(t, &rails.Refusal{Code: rails.OrderClosed, Detail: api.Error()}, nil)
		case api.Code == orchestration.CodeValidation:
			return refused(t, &rails.Refusal{Code: settlement.IntentInvalid, Detail: api.Error()}, nil)
		case identityRefused(api.Code):
			return forbidden(t, api.Code)
		}
	}
	return r.again(ctx, t, err)
}

// refusalOf is the orchestrator's refusal of the call itself, when that is what err is: what was said about our pairing on
// the way to it is an operator's matter and says nothing of the payment.
func refusalOf(err error) (*orchestration.APIError, bool) {
	if _, unpaired := errors.AsType[*orchestration.SessionError](err); unpaired {
		return nil, false
	}
	api, ok := errors.AsType[*orchestration.APIError](err)
	return api, ok && orchestration.OutcomeOf(err) == orchestration.NotActed
}

// identityRefused reports whether a write was refused for who we are; our session has been renewed before it is believed.
func identityRefused(code orchestration.Code) bool {
	switch code {
	case orchestration.CodeAgentPolicyDenied, orchestration.CodeAgentPairingInactive, orchestration.CodeAgentAuthInvalid,
		orchestration.CodeAgentAuthRequired:
		return true
	}
	return false
}

// forbidden turns the payment to observe: we go on without telling the orchestrator.
func forbidden(t task, code orchestration.Code) outcome {
	return outcome{events: []settlement.Event{{
		ID: "proof_forbidden", Payment: t.payment.ID, Kind: settlement.EventProofForbidden, Version: t.payment.Version,
		Detail: fmt.Sprintf("the orchestrator refuses our identity: %s", code),
	}}}
}

func refused(t task, refusal *rails.Refusal, payment *orchestration.MarketPayment) outcome {
	e := settlement.Event{
		ID: fmt.Sprintf("%s/%d", settlement.EventOrderRefused, t.payment.Version), Payment: t.payment.ID, Kind: settlement.EventOrderRefused, Version: t.payment.Version,
		Reason: refusal.Code, Detail: refusal.Detail,
	}
	if payment != nil {
		e.Platform = string(payment.Status)
	}
	return outcome{events: []settlement.Event{e}}
}

// again gives the task back to the sweeper after a failed call.
func (r *Runner) again(ctx context.Context, t task, err error) outcome {
	if errors.Is(err, ErrHeldBack) {
		return outcome{parked: true, unknown: t.posting}
	}
	wait := backoff(t.attempts)
	if ctx.Err() == nil {
		r.cfg.Logger.WarnContext(ctx, "work postponed", "payment_id", t.payment.ID.String(), "order_id", t.payment.OrderID,
			"state", string(t.payment.State), "attempt", t.attempts+1, "retry_in", wait.String(), "err", err)
	}
	return outcome{retry: wait, unknown: orchestration.OutcomeOf(err) == orchestration.Unknown}
}
