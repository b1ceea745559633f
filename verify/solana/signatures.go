package solana

import (
	"context"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/internal/jsonrpc"
)

// Heads is how far the cluster has come, in slots, under both finality rules: Latest is the confirmed slot. With several
// operators it is what all of them have come to.
func (c *Chain) Heads(ctx context.Context) (settlement.Heads, error) {
	c.rpc.Compare(ctx, under(c, c.rule, func(ctx context.Context, s *session) (uint64, error) { return s.head(ctx, Confirmed) }))
	told, err := jsonrpc.Gather(ctx, c.rpc, c.rpc.Endpoints, c.rule.Trust.operators(), under(c, c.rule, slots))
	if err != nil {
		return settlement.Heads{}, err
	}
	head := told[0]
	for _, h := range told {
		head.Latest, head.Final = min(head.Latest, h.Latest), min(head.Final, h.Final)
	}
	heads := settlement.Heads{Own: c.rule.Finality, Rules: map[Finality]settlement.Head{
		Finalized: head, Confirmed: {Latest: head.Latest, Final: head.Latest},
	}}
	heads.Head = heads.Rules[heads.Own]
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.movedAt.IsZero() || heads.Final > c.heads.Final {
		c.movedAt = c.now()
	}
	c.heads = heads
	return heads, nil
}

// slots are the finalized and the confirmed one at one endpoint.
func slots(ctx context.Context, s *session) (head settlement.Head, err error) {
	// The older one first: it must not be above the younger.
	if head.Final, err = s.head(ctx, Finalized); err != nil {
		return head, err
	}
	if head.Latest, err = s.head(ctx, Confirmed); err == nil && head.Latest < head.Final {
		err = inconsistent("the finalized slot %d is above the confirmed one, %d", head.Final, head.Latest)
	}
	return head, err
}

// Confirmation is what the cluster thinks of a transaction at the moment.
type Confirmation struct {
	Level  string // "processed", "confirmed", "finalized"; empty: unknown, or on a fork that was left
	Slot   uint64
	Failed bool
}

// MaxStatuses is how many one call of Statuses may ask for.
//
// Source: Agave, MAX_GET_SIGNATURE_STATUSES_QUERY_ITEMS.
const MaxStatuses = 256

// Statuses asks for up to MaxStatuses transactions in one call, whatever their age.
func (c *Chain) Statuses(ctx context.Context, txids []settlement.TxID) ([]Confirmation, error) {
	var out []Confirmation
	err := c.ask(ctx, func(ctx context.Context, s *session) (err error) {
		out, err = s.statuses(ctx, txids)
		return err
	})
	return out, err
}

func (s *session) statuses(ctx context.Context, txids []settlement.TxID) ([]Confirmation, error) {
	names := make([]string, len(txids))
	for i, txid := range txids {
		names[i] = FormatTxID(txid)
	}
	raw, err := s.call(ctx, "getSignatureStatuses", names, map[string]bool{"searchTransactionHistory": true})
	if err != nil {
		return nil, err
	}
	c := cursor{text: raw}
	out := make([]Confirmation, 0, len(txids))
	var seen uint32
	c.object()
	for name, ok := c.field(); ok; name, ok = c.field() {
		if string(name) != "value" {
			c.skip()
			continue
		}
		c.once(&seen, 1)
		c.list()
		for c.item(len(out)) {
			out = append(out, c.status())
		}
	}
	if c.end(); c.err != nil {
		return nil, undecodable("the statuses", c.err)
	}
	if len(out) != len(txids) {
		return nil, inconsistent("%d statuses for %d transactions", len(out), len(txids))
	}
	return out, nil
}

func (c *cursor) status() (out Confirmation) {
	if c.null() {
		return out
	}
	var seen uint32
	c.object()
	for name, ok := c.field(); ok; name, ok = c.field() {
		switch string(name) {
		case "slot":
			c.once(&seen, 1)
			out.Slot = c.uint()
		case "err":
			c.once(&seen, 2)
			if !c.null() {
				out.Failed = true
				c.skip()
			}
		case "confirmationStatus":
			c.once(&seen, 4)
			if c.null() {
				break
			}
			out.Level = string(c.str())
			if out.Level != "processed" && out.Level != string(Confirmed) && out.Level != string(Finalized) {
				c.fail("an unknown level of confirmation")
			}
		default:
			c.skip()
		}
	}
	c.need(seen, 7, "a part of a status is missing")
	if c.err == nil && out.Level == "" {
		c.fail("a status without a level of confirmation")
	}
	return out
}
