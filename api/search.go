package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

type searchInput struct {
	Marketplace string    `query:"marketplace" maxLength:"255" doc:"Only payments of this marketplace; of use with keys of all marketplaces." example:"acme"`
	OrderID     string    `query:"order_id" maxLength:"255" doc:"Only the payment of this order." example:"ord_4f9a"`
	PaymentID   string    `query:"payment_id" maxLength:"64" doc:"Only this payment." example:"019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11"`
	TxID        string    `query:"txid" maxLength:"128" doc:"Only payments for which this transaction was seen or named." example:"0x8b1f4a2d6c3e5b7a9d0c1e2f3a4b5c6d7e8f9a0b1c2d3e4f5a6b7c8d9e0f1a2b"`
	Address     string    `query:"address" maxLength:"128" doc:"Only payments that name the address as payee or payer, or that it has paid." example:"0x8617E340B3D01FA5F11F306F4090FD50E238070D"`
	State       state     `query:"state" doc:"Only payments in this state."`
	Flag        flag      `query:"flag" doc:"Only payments that carry this flag."`
	Chain       string    `query:"chain" maxLength:"128" doc:"Only payments on this chain: its CAIP-2 id or an alias." example:"base"`
	Token       string    `query:"token" maxLength:"128" doc:"Only payments in this token of the chain: its symbol or contract. Needs chain." example:"USDC"`
	MinAmount   string    `query:"min_amount" maxLength:"78" doc:"Only prices of at least so many base units. Needs token." example:"1000000"`
	MaxAmount   string    `query:"max_amount" maxLength:"78" doc:"Only prices of at most so many base units. Needs token." example:"2000000"`
	From        time.Time `query:"from" doc:"Only payments recorded at this time or later." example:"2026-11-25T00:00:00Z"`
	To          time.Time `query:"to" doc:"Only payments recorded before this time." example:"2026-11-26T00:00:00Z"`
	Limit       int       `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"How many payments at most."`
	Cursor      string    `query:"cursor" maxLength:"64" doc:"next_cursor of the page before."`
}

type searchOutput struct{ Body searchResult }

type searchResult struct {
	Items      []PaymentSummary `json:"items" nullable:"false" doc:"Newest first."`
	NextCursor *string          `json:"next_cursor,omitempty" doc:"Ask for the next page with it; absent on the last one." example:"019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11"`
}

type queueCountsInput struct {
	Marketplace string `query:"marketplace" maxLength:"255" doc:"Only payments of this marketplace; of use with keys of all marketplaces." example:"acme"`
}

type queueCountsOutput struct{ Body queueCounts }

type queueCounts struct {
	Queues []queueCount `json:"queues" nullable:"false" doc:"Every queue, in the order in which to look at them."`
}

// queueCount is how much waits in a queue and for how long.
type queueCount struct {
	Queue            string     `json:"queue" enum:"approvals,needs_review,disputes,stuck,parked" doc:"approvals are listed at /v1/admin/approvals, the others at /v1/admin/queues/{queue}." example:"needs_review"`
	Count            int64      `json:"count" doc:"How many wait." example:"3"`
	OldestSince      *time.Time `json:"oldest_since,omitempty" doc:"Since when the one that waits longest does; absent when none waits."`
	OldestAgeSeconds int64      `json:"oldest_age_seconds" doc:"The same as an age; 0 when none waits." example:"7260"`
}

type queueInput struct {
	Queue       queue  `path:"queue"`
	Marketplace string `query:"marketplace" maxLength:"255" doc:"Only payments of this marketplace; of use with keys of all marketplaces." example:"acme"`
	Limit       int    `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"How many payments at most."`
	Cursor      string `query:"cursor" maxLength:"128" doc:"next_cursor of the page before."`
}

type queueOutput struct{ Body queuePage }

type queuePage struct {
	Items      []queueItem `json:"items" nullable:"false" doc:"Longest waiting first."`
	NextCursor *string     `json:"next_cursor,omitempty" doc:"Ask for the next page with it; absent on the last one." example:"2026-11-25T09:30:00.412Z,019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11"`
}

// queueItem is a payment that waits.
type queueItem struct {
	PaymentSummary
	Since   time.Time     `json:"since" doc:"When the payment came into its state."`
	Dispute *queueDispute `json:"dispute,omitempty" doc:"What is contested; absent where nothing is."`
}

// queueDispute is what people must know of a dispute to choose which one to take up.
type queueDispute struct {
	Reason   string    `json:"reason" enum:"not_delivered,not_as_described,unauthorized,duplicate,fraud,other,unstated" example:"not_delivered"`
	Party    string    `json:"party" enum:"payer,payee,operator" doc:"Who complains." example:"payer"`
	DecideBy time.Time `json:"decide_by" doc:"When the default outcome falls due, or people are reminded."`
	Decided  bool      `json:"decided" doc:"It is decided, and the time to appeal is not over."`
}

// queue is the store's own, with the list of its values in the OpenAPI document.
type queue string

// Schema lists every queue.
func (queue) Schema(huma.Registry) *huma.Schema {
	return listed(store.Queues, "needs_review: a person must decide; disputes: frozen until a dispute is decided; stuck: we act next and "+
		"nothing has come of it for 15 minutes; parked: the orchestrator has to come back first.", store.QueueNeedsReview)
}

func (s *server) registerSearch() {
	register(s, s.secured(huma.Operation{
		OperationID: "search-payments", Method: http.MethodGet, Path: "/v1/admin/payments", Tags: []string{"Admin"},
		Summary: "Search payments", Description: "By order, payment, transaction, address, state, flag, amount and time, newest first. Filters narrow each other.",
	}, scopeRead), []Code{MarketplaceForbidden, ValidationFailed}, s.handleSearch)
	register(s, s.secured(huma.Operation{
		OperationID: "count-queues", Method: http.MethodGet, Path: "/v1/admin/queues", Tags: []string{"Admin"},
		Summary: "What waits for somebody", Description: "How much waits in each queue, and for how long the oldest of it does.",
	}, scopeRead), []Code{MarketplaceForbidden, ValidationFailed}, s.handleCountQueues)
	register(s, s.secured(huma.Operation{
		OperationID: "list-queue", Method: http.MethodGet, Path: "/v1/admin/queues/{queue}", Tags: []string{"Admin"},
		Summary: "A queue", Description: "The payments that wait in a queue, longest waiting first.",
	}, scopeRead), []Code{MarketplaceForbidden, ValidationFailed}, s.handleListQueue)
}

// invalid is the problem of one parameter that breaks its rule.
func invalid(location, message string) *Problem {
	p := problem(ValidationFailed, "")
	p.Errors = []Fault{{Location: location, Message: message}}
	return p
}

func (s *server) handleSearch(ctx context.Context, in *searchInput) (*searchOutput, error) {
	filter, err := s.searchFilter(ctx, in)
	if err != nil {
		return nil, err
	}
	out := &searchOutput{searchResult{Items: []PaymentSummary{}}}
	if !plain(filter.Marketplace, filter.OrderID) {
		return out, nil
	}
	payments, err := store.ListPayments(ctx, s.cfg.Pool, filter)
	if err != nil {
		return nil, err
	}
	if len(payments) > in.Limit {
		payments = payments[:in.Limit]
		out.Body.NextCursor = new(payments[in.Limit-1].ID.String())
	}
	v := s.render()
	for _, p := range payments {
		out.Body.Items = append(out.Body.Items, v.summary(p))
	}
	return out, nil
}

// plain reports whether payments can have such ids; Postgres would refuse the others.
func plain(ids ...string) bool {
	return !slices.ContainsFunc(ids, func(id string) bool { return id != "" && !jobs.PlainID(id) })
}

// searchFilter is the filter that the request describes.
func (s *server) searchFilter(ctx context.Context, in *searchInput) (store.PaymentFilter, error) {
	marketplace, err := marketplaceOf(ctx, in.Marketplace)
	if err != nil {
		return store.PaymentFilter{}, err
	}
	f := store.PaymentFilter{
		Marketplace: marketplace, State: settlement.State(in.State), Flag: settlement.Flag(in.Flag), OrderID: in.OrderID,
		From: in.From, To: in.To, NewestFirst: true,
		Limit: in.Limit + 1, // one more tells whether there is a next page
	}
	if in.PaymentID != "" {
		if f.ID, err = settlement.ParsePaymentID(in.PaymentID); err != nil {
			return f, invalid("query.payment_id", "must be a UUID")
		}
	}
	if in.Cursor != "" {
		if f.After, err = settlement.ParsePaymentID(in.Cursor); err != nil {
			return f, invalid("query.cursor", "must be next_cursor of the page before")
		}
	}
	chains := s.cfg.Runner.Chains()
	if in.Chain != "" {
		chain, ok := chainNamed(chains, in.Chain)
		if !ok {
			return f, invalid("query.chain", "must be the CAIP-2 id or an alias of a chain in the configuration")
		}
		f.Chain, chains = chain.ID, []jobs.Chain{chain}
	}
	if err := searchText(&f, in, chains); err != nil {
		return f, err
	}
	return f, searchToken(&f, in, chains)
}

// searchText reads the transaction id and the address in the form of each chain that may be meant.
func searchText(f *store.PaymentFilter, in *searchInput, chains []jobs.Chain) error {
	for _, chain := range chains {
		if txid, err := chain.ParseTxID(in.TxID); in.TxID != "" && err == nil && !slices.Contains(f.TxIDs, txid) {
			f.TxIDs = append(f.TxIDs, txid)
		}
		if address, err := chain.ParseAddress(in.Address); in.Address != "" && err == nil && !slices.Contains(f.Addresses, address) {
			f.Addresses = append(f.Addresses, address)
		}
	}
	switch {
	case in.TxID != "" && f.TxIDs == nil:
		return invalid("query.txid", "is not a transaction id of any chain that may be meant")
	case in.Address != "" && f.Addresses == nil:
		return invalid("query.address", "is not an address of any chain that may be meant")
	}
	return nil
}

// searchToken reads what narrows the price.
func searchToken(f *store.PaymentFilter, in *searchInput, chains []jobs.Chain) error {
	switch {
	case in.Token != "" && in.Chain == "":
		return invalid("query.token", "needs chain: a token is one of a chain")
	case in.Token == "" && in.MinAmount+in.MaxAmount != "":
		return invalid("query.min_amount", "needs token: amounts are in its base units")
	case in.Token == "":
		return nil
	}
	token, ok := tokenNamed(chains[0], in.Token)
	if !ok {
		return invalid("query.token", "must be the symbol or the contract of one of the chain's tokens in the configuration")
	}
	f.Token = &token.Address
	for _, bound := range []struct {
		location, text string
		to             **settlement.Amount
	}{{"query.min_amount", in.MinAmount, &f.Min}, {"query.max_amount", in.MaxAmount, &f.Max}} {
		if bound.text == "" {
			continue
		}
		amount, err := settlement.ParseAmount(bound.text)
		if err != nil {
			return invalid(bound.location, "must be an amount in base units, decimal digits alone")
		}
		*bound.to = &amount
	}
	return nil
}

func chainNamed(chains []jobs.Chain, name string) (jobs.Chain, bool) {
	i := slices.IndexFunc(chains, func(c jobs.Chain) bool { return string(c.ID) == name || slices.Contains(c.Aliases, name) })
	if i < 0 {
		return jobs.Chain{}, false
	}
	return chains[i], true
}

// tokenNamed finds a token by its symbol or its contract.
func tokenNamed(chain jobs.Chain, name string) (settlement.Token, bool) {
	address, err := chain.ParseAddress(name)
	for _, t := range chain.Tokens {
		if strings.EqualFold(t.Symbol, name) || err == nil && t.Address == address {
			return t, true
		}
	}
	return settlement.Token{}, false
}

func (s *server) handleCountQueues(ctx context.Context, in *queueCountsInput) (*queueCountsOutput, error) {
	marketplace, err := marketplaceOf(ctx, in.Marketplace)
	if err != nil {
		return nil, err
	}
	now := s.cfg.Now().UTC()
	out := &queueCountsOutput{}
	for _, q := range append([]store.Queue{"approvals"}, store.Queues...) {
		c := queueCount{Queue: string(q)}
		switch {
		case !plain(marketplace):
		case q == "approvals":
			c.Count, c.OldestSince, err = store.CountPendingApprovals(ctx, s.cfg.Pool, marketplace, now)
		default:
			c.Count, c.OldestSince, err = store.CountQueue(ctx, s.cfg.Pool, q, store.QueueFilter{Marketplace: marketplace, Now: now})
		}
		if err != nil {
			return nil, err
		}
		if c.OldestSince != nil {
			c.OldestAgeSeconds = int64(max(now.Sub(*c.OldestSince), 0) / time.Second)
		}
		out.Body.Queues = append(out.Body.Queues, c)
	}
	return out, nil
}

func (s *server) handleListQueue(ctx context.Context, in *queueInput) (*queueOutput, error) {
	marketplace, err := marketplaceOf(ctx, in.Marketplace)
	if err != nil {
		return nil, err
	}
	f := store.QueueFilter{Marketplace: marketplace, Now: s.cfg.Now().UTC(), Limit: in.Limit + 1}
	if in.Cursor != "" {
		since, after, _ := strings.Cut(in.Cursor, ",")
		at, err := time.Parse(time.RFC3339Nano, since)
		id, idErr := settlement.ParsePaymentID(after)
		if err != nil || idErr != nil {
			return nil, invalid("query.cursor", "must be next_cursor of the page before")
		}
		f.AfterSince, f.After = at, id
	}
	out := &queueOutput{queuePage{Items: []queueItem{}}}
	if !plain(marketplace) {
		return out, nil
	}
	waiting, err := store.ListQueue(ctx, s.cfg.Pool, store.Queue(in.Queue), f)
	if err != nil {
		return nil, err
	}
	if len(waiting) > in.Limit {
		waiting = waiting[:in.Limit]
		last := waiting[in.Limit-1]
		out.Body.NextCursor = new(last.Since.Format(time.RFC3339Nano) + "," + last.ID.String())
	}
	var frozen []settlement.PaymentID
	for _, w := range waiting {
		if w.State == settlement.StateFrozen {
			frozen = append(frozen, w.ID)
		}
	}
	disputes, err := store.Disputes(ctx, s.cfg.Pool, frozen)
	if err != nil {
		return nil, err
	}
	v := s.render()
	for _, w := range waiting {
		item := queueItem{PaymentSummary: v.summary(w.Payment), Since: w.Since}
		if of := disputes[w.ID]; len(of) > 0 {
			d := of[len(of)-1]
			item.Dispute = &queueDispute{string(d.Reason), string(d.Party), d.DecideBy, d.Award != nil}
		}
		out.Body.Items = append(out.Body.Items, item)
	}
	return out, nil
}
