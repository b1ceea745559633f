package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/api"
	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// devPeople are the API keys of the marketplace's own program, and of two people who look after payments. In development a
// person's key may approve.
type devPeople struct{ program, alice, bob string }

func newDevPeople(ctx context.Context, database string) (people devPeople, err error) {
	pool, err := pgxpool.New(ctx, database)
	if err != nil {
		return people, err
	}
	defer pool.Close()
	now := time.Now().UTC()
	for _, who := range []struct {
		name string
		key  *string
	}{{"", &people.program}, {"Alice", &people.alice}, {"Bob", &people.bob}} {
		key, hash := api.NewKey()
		record := store.APIKey{ID: settlement.PaymentID(uuid.Must(uuid.NewV7())), Name: "dev", Scope: "admin", CreatedAt: now}
		if who.name == "" {
			record.Marketplace = devMarketplace
		} else {
			record.Person = &store.Person{
				ID: settlement.PaymentID(uuid.Must(uuid.NewV7())), Issuer: "dev", Subject: uuid.NewString(), Name: who.name, Scope: "admin", CreatedAt: now,
			}
			if err := store.CreatePerson(ctx, pool, *record.Person); err != nil {
				return people, err
			}
		}
		if err := store.CreateAPIKey(ctx, pool, record, hash); err != nil {
			return people, err
		}
		*who.key = key
	}
	return people, nil
}

// ask sends a request of the API with the key, about the payment as it is now.
func (p *play) ask(ctx context.Context, key, path, mediaType, body string, want int, into any) error {
	for {
		now, err := p.read(ctx)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.api+"/v1/admin/payments/"+p.paymentID+path, bytes.NewBufferString(body))
		if err != nil {
			return err
		}
		for name, value := range map[string]string{
			"Authorization": "Bearer " + key, "Content-Type": mediaType, "Idempotency-Key": uuid.NewString(), "If-Match": strconv.Quote(fmt.Sprint(now.Version)),
		} {
			req.Header.Set(name, value)
		}
		err = fetch(req, want, into)
		if status, ok := errors.AsType[*statusError](err); !ok || status.code != http.StatusPreconditionFailed || pause(ctx) != nil {
			return err // else something has changed since it was read
		}
	}
}

// approve has the marketplace's program ask for an action about money, and both people approve exactly that.
func (p *play) approve(ctx context.Context, action, reason, what string, fields map[string]string) error {
	body := map[string]string{"reason": reason}
	for name, value := range fields {
		body[name] = value
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	var asked struct {
		Approval struct {
			ID   string `json:"approval_id"`
			Hash string `json:"hash"`
		} `json:"approval"`
	}
	if err := p.ask(ctx, p.people.program, "/actions/"+action, "application/json", string(text), http.StatusAccepted, &asked); err != nil {
		return fmt.Errorf("ask for it: %w", err)
	}
	p.say("asked", what+": the marketplace's program asks, and two people have to approve", "approval", asked.Approval.ID)
	for _, who := range []struct{ name, key string }{{"Alice", p.people.alice}, {"Bob", p.people.bob}} {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.api+"/v1/admin/approvals/"+asked.Approval.ID+"/approve", bytes.NewBufferString("{}"))
		if err != nil {
			return err
		}
		for name, value := range map[string]string{
			"Authorization": "Bearer " + who.key, "Content-Type": "application/json", "If-Match": strconv.Quote(asked.Approval.Hash),
		} {
			req.Header.Set(name, value)
		}
		var vote struct{ State string }
		if err := fetch(req, http.StatusOK, &vote); err != nil {
			return fmt.Errorf("%s approves: %w", who.name, err)
		}
		p.say("approved", "by "+who.name+"; the request is "+vote.State)
	}
	return nil
}

// price is what the order costs, in base units.
func (p *play) price() (*big.Int, error) {
	price, ok := new(big.Int).SetString(p.terms.Amount, 10)
	if !ok {
		return nil, fmt.Errorf("amount %q is no number", p.terms.Amount)
	}
	return price, nil
}

// devMajor is an amount of a token of development in whole tokens.
func devMajor(units *big.Int) string {
	amount, err := settlement.ParseAmount(units.String())
	if err != nil { // impossible: what was moved is neither negative nor above 256 bits
		return units.String()
	}
	return amount.Major(devnet.TestTokenDecimals)
}

// release is what follows when the order was delivered: its buyer confirms.
func release(ctx context.Context, p *play, verify verifyDivision) error {
	if err := p.confirm(ctx, p.orderID); err != nil {
		return fmt.Errorf("confirm: %w", err)
	}
	p.say("confirmed", "delivered, and the buyer has confirmed it", "order", p.orderID)
	price, err := p.price()
	if err != nil {
		return err
	}
	if _, err := p.await(ctx, "released"); err != nil {
		return err
	}
	return verify(ctx, "released", price, new(big.Int))
}

// refund is what follows when the order was not delivered: people give the money back.
func refund(ctx context.Context, p *play, verify verifyDivision) error {
	price, err := p.price()
	if err != nil {
		return err
	}
	if err := p.approve(ctx, "refund", "nothing was delivered", "a refund", nil); err != nil {
		return fmt.Errorf("refund: %w", err)
	}
	if _, err := p.await(ctx, "refunded"); err != nil {
		return err
	}
	return verify(ctx, "refunded", new(big.Int), price)
}

// dispute is what follows when the buyer complains: the vault is frozen, the payee shows what he has, and people divide the price.
func dispute(ctx context.Context, p *play, verify verifyDivision) error {
	price, err := p.price()
	if err != nil {
		return err
	}
	err = p.buyer.Do(ctx, func(token orchestration.Secret) error {
		_, err := p.market.DisputeMarketOrder(ctx, token, p.orderID, orchestration.DisputeMarketOrderRequest{Reason: "it arrived damaged"})
		return err
	})
	if err != nil {
		return fmt.Errorf("dispute: %w", err)
	}
	p.say("disputed", "the buyer complains at the orchestrator, whose webhook tells settler", "order", p.orderID)
	if _, err := p.await(ctx, "frozen"); err != nil {
		return err
	}
	p.say("frozen", "nothing moves until people have decided")
	var exhibit struct {
		SHA256 string `json:"sha256"`
	}
	query := url.Values{"party": {"payee"}, "reason": {"the parcel as it left"}}
	if err := p.ask(ctx, p.people.alice, "/evidence?"+query.Encode(), "text/plain", "packed by two people, photographs 1 to 4", http.StatusCreated, &exhibit); err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	p.say("evidence", "the payee's, handed in by Alice, kept under its SHA-256", "sha256", exhibit.SHA256)
	for {
		now, err := p.read(ctx)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(now.History, func(h event) bool { return h.Event == string(settlement.EventVaultFrozen) }) {
			break
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("waiting for the vault to be frozen on the chain: %w", err)
		}
	}
	p.say("vault frozen", "on the chain, with the arbiter's key, in a final block")
	toPayer := new(big.Int).Div(price, big.NewInt(4))
	toPayee := new(big.Int).Sub(price, toPayer)
	what := fmt.Sprintf("%s TUSD for the payee, %s for the payer", devMajor(toPayee), devMajor(toPayer))
	if err := p.approve(ctx, "split", "both agree that a quarter is damaged", what, map[string]string{"to_payee": toPayee.String(), "to_payer": toPayer.String()}); err != nil {
		return fmt.Errorf("split: %w", err)
	}
	if _, err := p.await(ctx, "split"); err != nil {
		return err
	}
	return verify(ctx, "split", toPayee, toPayer)
}
