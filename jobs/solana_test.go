package jobs_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/rails"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/solana"
)

// theNode is the node of TestSolana, each of whose parts has keys of its own.
var theNode *devnet.Solana

// TestSolana keeps a node for as long as its parts need one and not beside the other tests: a node takes a processor.
func TestSolana(t *testing.T) {
	node, err := devnet.StartSolana(t.Context(), devnet.SolanaConfig{})
	if errors.Is(err, devnet.ErrNoSolana) && os.Getenv("SETTLER_REQUIRE_FIXTURES") != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Stop(); err != nil {
			t.Error(err)
		}
	})
	theNode = node
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"settles by reference", solanaSettlesByReference},
		{"twin orders", solanaTwinOrders},
		{"one transfer for two orders", solanaOneTransferForTwoOrders},
		{"payments that do not fit", solanaPaymentsThatDoNotFit},
		{"another token", solanaAnotherToken},
		{"confirmed then gone", solanaConfirmedThenGone},
		{"small sum at confirmed", solanaSmallSumAtConfirmed},
		{"calls follow payees", solanaCallsFollowPayees},
		{"restart catches up", solanaRestartCatchesUp},
		{"payee is a token account", solanaPayeeIsATokenAccount},
		{"payer proves himself", solanaPayerProvesHimself},
		{"announced payments", solanaAnnouncedPayments},
		{"account that is new", solanaAccountThatIsNew},
		{"parts add up", solanaPartsAddUp},
		{"custody", solanaCustody},
		{"token with a fee", solanaTokenWithAFee},
		{"dust of a stranger", solanaDustOfAStranger},
		{"token accounts", solanaTokenAccounts},
		{"direct payment is given back", solanaDirectPaymentIsGivenBack},
	} {
		t.Run(part.name, part.run)
	}
}

// cluster is a rig's Solana side: a marketplace that is paid in a token of its own, on a real node behind a proxy.
type cluster struct {
	*rig
	node   *devnet.Solana
	proxy  *chaintest.Proxy
	id     settlement.ChainID
	token  devnet.SolanaToken // what is to be paid
	policy settlement.Policy  // of the token
	other  devnet.SolanaToken // another listed one
	alice  sdk.PrivateKey     // a wallet with much of everything
	bob    sdk.PrivateKey     // the payee
	tiers  []solana.Tier
	poll   time.Duration // 0: often
	// escrow is nil where nothing is held.
	escrow func() *jobs.Escrow
	// refunds is nil where nothing is given back.
	refunds func() *jobs.Refunds
	// socket announces transactions; empty: nothing does.
	socket string
}

const solPrice = 1_500_000 // of the token: the rig's price is 1.5

// newCluster is a rig whose orders are paid on Solana. named says whether they name alice as their payer.
func newCluster(t *testing.T, named bool, change ...func(*cluster, *setup, *orchestration.RailRecommendation)) *cluster {
	t.Helper()
	c := &cluster{node: theNode, proxy: chaintest.NewProxy(t, theNode.URL()), id: solana.ChainOf(theNode.Genesis())}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	c.alice, err = devnet.NewSolanaKey()
	must(err)
	c.bob, err = devnet.NewSolanaKey()
	must(err)
	must(c.node.Fund(t.Context(), 10*sdk.LAMPORTS_PER_SOL, c.alice.PublicKey(), c.bob.PublicKey()))
	c.token, err = c.node.DeployToken(t.Context(), sdk.TokenProgramID, 1_000_000_000, c.alice.PublicKey())
	must(err)
	c.other, err = c.node.DeployToken(t.Context(), sdk.Token2022ProgramID, 1_000_000_000, c.alice.PublicKey())
	must(err)
	c.rig = newRig(t, func(s *setup) {
		s.more = c.chain
		s.skew = 15 * time.Minute // a node on a busy machine falls behind the clock on the wall
		s.advice = func(a *orchestration.RailRecommendation) {
			a.Chain, a.Token, a.TokenAddress, a.TokenMint = string(c.id), "SUSD", "", c.token.Mint.String()
			a.PayeeAddress = c.bob.PublicKey().String()
			if named {
				a.PayerAddress = c.alice.PublicKey().String()
			}
			for _, f := range change {
				f(c, s, a)
			}
		}
		for _, f := range change {
			f(c, s, &orchestration.RailRecommendation{})
		}
	})
	return c
}

// chain is the cluster as settler is given it.
func (c *cluster) chain() jobs.Chain {
	tokens := []solana.Token{
		{Token: settlement.Token{Chain: c.id, Address: key(c.token.Mint), Symbol: "SUSD", Decimals: 6, Policy: c.policy}, Program: key(c.token.Program)},
		{Token: settlement.Token{Chain: c.id, Address: key(c.other.Mint), Symbol: "OUSD", Decimals: 6}, Program: solana.Token2022Program},
		{Token: settlement.Token{Chain: c.id, Address: key(sdk.WrappedSol), Symbol: "WSOL", Decimals: 9}, Program: solana.TokenProgram},
		{Token: settlement.Token{Chain: c.id, Symbol: "SOL", Decimals: 9}},
	}
	chain, err := solana.New(solana.Config{
		Chain: c.id, Endpoints: []solana.Endpoint{{Name: "proxy", URL: c.proxy.URL(), WebSocket: c.socket}}, Tokens: tokens, Tiers: c.tiers,
	})
	if err != nil {
		panic(err)
	}
	out := jobs.Chain{
		ID: c.id, Aliases: []string{"solana"}, PollInterval: cmp.Or(c.poll, 50*time.Millisecond), Verifier: chain, Accounts: chain, References: true,
		CheckPayee: func(ctx context.Context, payee settlement.Address) (string, error) {
			err := chain.CheckPayee(ctx, payee)
			if wrong, ok := errors.AsType[*solana.PayeeError](err); ok {
				return wrong.Error(), nil
			}
			return "", err
		},
		ParseAddress: solana.ParseAddress, FormatAddress: solana.FormatAddress, ParseTxID: solana.ParseTxID, FormatTxID: solana.FormatTxID,
		CheckSignature: solana.CheckSignature,
	}
	for _, t := range tokens {
		out.Tokens = append(out.Tokens, t.Token)
	}
	if c.escrow != nil {
		out.Escrow = c.escrow()
	}
	if c.refunds != nil {
		out.Refunds = c.refunds()
		out.ApprovalAbove = map[settlement.Address]settlement.Amount{key(c.token.Mint): settlement.NewAmount(100_000_000)}
	}
	return out
}

func key(k sdk.PublicKey) settlement.Address { return settlement.Address(k[:]) }

// open makes an order and waits until it can be paid.
func (c *cluster) open() (order string, p settlement.Payment, reference sdk.PublicKey) {
	c.t.Helper()
	order = c.order()
	c.tell(order)
	p = c.await(order, false, settlement.StateAwaitingPayment)
	return order, p, sdk.PublicKeyFromBytes([]byte(p.Terms.Reference))
}

// prove has alice sign that the transaction pays the payment.
func (c *cluster) prove(p settlement.Payment, id settlement.TxID) {
	c.t.Helper()
	signature, err := c.alice.Sign([]byte(settlement.ProofText(p.ID, c.id, solana.FormatTxID(id))))
	if err != nil {
		c.t.Fatal(err)
	}
	proof := settlement.PayerProof{TxID: id, Signer: key(c.alice.PublicKey()), Signature: signature.String()}
	if _, err := c.runner.ProvePayer(c.t.Context(), p, proof); err != nil {
		c.t.Fatal(err)
	}
}

// run carries the instructions out as alice.
func (c *cluster) run(instructions ...sdk.Instruction) settlement.TxID {
	c.t.Helper()
	signature, err := c.node.Send(c.t.Context(), c.alice, nil, instructions...)
	if err != nil {
		c.t.Fatal(err)
	}
	return settlement.TxID(signature[:])
}

// transfer is one of the token from alice to bob, whose account is opened first.
func (c *cluster) transfer(t devnet.SolanaToken, units uint64, references ...sdk.PublicKey) []sdk.Instruction {
	from, to := c.alice.PublicKey(), c.bob.PublicKey()
	return []sdk.Instruction{t.Open(from, to), t.Transfer(from, to, units, references...)}
}

// settledBy is the transaction and the place in it that settled the payment.
func (c *cluster) settledBy(order string) (settlement.TxID, string) {
	c.t.Helper()
	p := c.await(order, false, settlement.StateHeld)
	var position string
	err := c.pool.QueryRow(c.t.Context(), "select position from consumed_transfers where payment_id = $1 and chain = $2 and txid = $3",
		p.ID, string(c.id), []byte(p.PaidBy)).Scan(&position)
	if err != nil {
		c.t.Fatal(err)
	}
	return p.PaidBy, position
}

// A wallet that nobody has named pays from the transfer request: its reference says which order it pays. The
// orchestrator is told, and only records.
func solanaSettlesByReference(t *testing.T) {
	t.Parallel()
	c := newCluster(t, false)
	order, p, reference := c.open()
	if len(p.Terms.Payers()) != 0 {
		t.Fatalf("payers %v", p.Terms.Payers())
	}
	uri := fmt.Sprintf("solana:%s?amount=1.500000&spl-token=%s&reference=%s&memo=%s", c.bob.PublicKey(), c.token.Mint, reference, p.ID)
	signature, err := c.node.Pay(t.Context(), c.alice, uri)
	if err != nil {
		t.Fatal(err)
	}
	if txid, position := c.settledBy(order); txid != settlement.TxID(signature[:]) || position != "ix/2" {
		t.Errorf("settled by %s at %s, want %s at ix/2", solana.FormatTxID(txid), position, signature)
	}
	paid, _ := c.market.Payment(order)
	if got := paid.Proof; got == nil || got.TransactionSignature != signature.String() || got.VerificationMode != orchestration.VerificationRecorded ||
		got.PayerAddress != c.alice.PublicKey().String() {
		t.Errorf("the orchestrator's proof: %+v", got)
	}
	if raw, decimals := paid.Rail.Metadata["rawAmount"], paid.Rail.Metadata["tokenDecimals"]; paid.Rail.TokenMint != c.token.Mint.String() ||
		string(raw) != `"1500000"` || string(decimals) != "6" || string(paid.Rail.Metadata["reference"]) != `"`+reference.String()+`"` {
		t.Errorf("the intent: %+v", paid.Rail)
	}
	seen, err := store.TransfersOf(t.Context(), c.pool, []settlement.PaymentID{p.ID})
	if err != nil || len(seen) != 1 || !slices.Contains(seen[0].Sighting.Transfer.References, p.Terms.Reference) {
		t.Errorf("seen %+v, err %v", seen, err)
	}
	if e := seen[0].Sighting.Verdict.Evidence; e.Finality != "finalized" || e.Authority != c.alice.PublicKey().String() ||
		e.Destination != c.token.Account(c.bob.PublicKey()).String() || e.Block == 0 {
		t.Errorf("evidence %+v", e)
	}
}

// Without a reference the named payer's transfer counts while it fits one order alone.
func solanaTwinOrders(t *testing.T) {
	t.Parallel()
	c := newCluster(t, true)
	order, _, _ := c.open()
	alone := c.run(c.transfer(c.token, solPrice)...)
	if txid, _ := c.settledBy(order); txid != alone {
		t.Errorf("settled by %s", solana.FormatTxID(txid))
	}

	first, _, firstKey := c.open()
	second, _, secondKey := c.open()
	c.run(c.transfer(c.token, solPrice)...)
	for _, order := range []string{first, second} {
		if p := c.await(order, false, settlement.StateNeedsReview); p.Reason != settlement.TransferAmbiguous {
			t.Errorf("reason %s: %s", p.Reason, p.Detail)
		}
	}
	// One transaction with a transfer for each of them, in the other order.
	txid := c.run(append(c.transfer(c.token, solPrice, secondKey), c.token.Transfer(c.alice.PublicKey(), c.bob.PublicKey(), solPrice, firstKey))...)
	for order, want := range map[string]string{first: "ix/2", second: "ix/1"} {
		if got, position := c.settledBy(order); got != txid || position != want {
			t.Errorf("settled by %s at %s, want %s", solana.FormatTxID(got), position, want)
		}
	}
}

// One transfer that names two orders pays neither.
func solanaOneTransferForTwoOrders(t *testing.T) {
	t.Parallel()
	c := newCluster(t, false)
	first, _, firstKey := c.open()
	second, _, secondKey := c.open()
	c.run(c.transfer(c.token, solPrice, firstKey, secondKey)...)
	for _, order := range []string{first, second} {
		if p := c.await(order, false, settlement.StateNeedsReview); p.Reason != settlement.TransferAmbiguous {
			t.Errorf("reason %s: %s", p.Reason, p.Detail)
		}
	}
}

func solanaPaymentsThatDoNotFit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*cluster, *setup, *orchestration.RailRecommendation)
		pay    func(c *cluster, reference sdk.PublicKey)
		reason settlement.Code
		flag   settlement.Flag
	}{
		{"too little", nil, func(c *cluster, r sdk.PublicKey) { c.run(c.transfer(c.token, solPrice-1, r)...) }, settlement.AmountMismatch, settlement.FlagUnderpaid},
		{"too much", nil, func(c *cluster, r sdk.PublicKey) { c.run(c.transfer(c.token, solPrice+1, r)...) }, settlement.AmountMismatch, settlement.FlagOverpaid},
		{"no reference, and no payer is known", nil, func(c *cluster, _ sdk.PublicKey) { c.run(c.transfer(c.token, solPrice)...) }, settlement.ReferenceMismatch, ""},
		// Our clock is behind, so that the deadline has passed on the cluster however slow that is.
		{"too late", func(_ *cluster, s *setup, _ *orchestration.RailRecommendation) {
			s.deadline, s.grace, s.ahead = time.Minute, 0, -30*time.Minute
		}, func(c *cluster, r sdk.PublicKey) { c.run(c.transfer(c.token, solPrice, r)...) }, settlement.PaymentLate, settlement.FlagLate},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var change []func(*cluster, *setup, *orchestration.RailRecommendation)
			if tt.change != nil {
				change = append(change, tt.change)
			}
			c := newCluster(t, false, change...)
			order, _, reference := c.open()
			tt.pay(c, reference)
			if p := c.await(order, false, settlement.StateNeedsReview); p.Reason != tt.reason || tt.flag != "" && !p.HasFlag(tt.flag) {
				t.Errorf("reason %s (%s), flags %v; want %s, %s", p.Reason, p.Detail, p.Flags, tt.reason, tt.flag)
			}
		})
	}
}

// What is no payment of the order changes nothing, found or handed in, and the right payment still settles it.
func solanaAnotherToken(t *testing.T) {
	t.Parallel()
	c := newCluster(t, false, func(_ *cluster, s *setup, a *orchestration.RailRecommendation) {
		s.price = "0.5"
		a.Token, a.TokenMint = "SOL", ""
	})
	const price = sdk.LAMPORTS_PER_SOL / 2
	order, p, reference := c.open()
	from, to := c.alice.PublicKey(), c.bob.PublicKey()
	wrapped := devnet.SolanaToken{Mint: sdk.WrappedSol, Program: sdk.TokenProgramID, Decimals: 9}
	sync := sdk.NewInstruction(sdk.TokenProgramID, sdk.AccountMetaSlice{sdk.Meta(wrapped.Account(from)).WRITE()}, []byte{17})
	for name, txid := range map[string]settlement.TxID{
		"wrapped SOL": c.run(wrapped.Open(from, from), devnet.SolanaTransfer(from, wrapped.Account(from), price), sync, wrapped.Open(from, to),
			wrapped.Transfer(from, to, price, reference)),
		"another mint": c.run(c.transfer(c.other, price, reference)...),
	} {
		if _, err := c.runner.NameTransaction(t.Context(), p.ID, txid); err != nil {
			t.Fatal(err)
		}
		c.eventually(name+" is looked at", func() error {
			if kinds := c.history(p); kinds[len(kinds)-1] != settlement.EventTransactionAbsent {
				return fmt.Errorf("history %v", kinds)
			}
			return nil
		})
		if p := c.await(order, false, settlement.StateAwaitingPayment); len(p.Flags) != 0 {
			t.Errorf("%s: flags %v", name, p.Flags)
		}
	}
	paid := c.run(devnet.SolanaTransfer(from, to, price, reference))
	if txid, position := c.settledBy(order); txid != paid || position != "ix/0" {
		t.Errorf("settled by %s at %s", solana.FormatTxID(txid), position)
	}
}

// A transaction that the cluster had voted for and that is not in what becomes final is withdrawn.
func solanaConfirmedThenGone(t *testing.T) {
	t.Parallel()
	c := newCluster(t, false)
	order, p, reference := c.open()
	var frozen atomic.Int64 // the final slot that the endpoint tells of; 0: the real one
	var gone atomic.Pointer[string]
	c.proxy.Intercept(func(call chaintest.Call) chaintest.Answer {
		params := string(call.Params)
		hidden := gone.Load()
		switch {
		case call.Method == "getSlot" && strings.Contains(params, "finalized") && frozen.Load() != 0:
			return chaintest.Answer{Result: json.RawMessage(fmt.Sprint(frozen.Load()))}
		case hidden == nil:
		case call.Method == "getTransaction" && strings.Contains(params, *hidden):
			return chaintest.Hide
		case call.Method == "getSignatureStatuses" && strings.Contains(params, *hidden):
			var ids []json.RawMessage
			var asked []json.RawMessage
			result, err := call.Forward()
			var answer struct {
				Context json.RawMessage   `json:"context"`
				Value   []json.RawMessage `json:"value"`
			}
			if err := errors.Join(err, json.Unmarshal(call.Params, &asked), json.Unmarshal(asked[0], &ids), json.Unmarshal(result, &answer)); err != nil {
				return chaintest.Answer{}
			}
			for i, id := range ids {
				if string(id) == `"`+*hidden+`"` {
					answer.Value[i] = json.RawMessage("null")
				}
			}
			result, err = json.Marshal(answer)
			if err != nil {
				return chaintest.Answer{}
			}
			return chaintest.Answer{Result: result}
		case call.Method == "getSignaturesForAddress":
			var rows []map[string]any
			result, err := call.Forward()
			if err := errors.Join(err, json.Unmarshal(result, &rows)); err != nil {
				return chaintest.Answer{}
			}
			rows = slices.DeleteFunc(rows, func(row map[string]any) bool { return row["signature"] == *hidden })
			if rows == nil {
				rows = []map[string]any{}
			}
			if result, err = json.Marshal(rows); err != nil {
				return chaintest.Answer{}
			}
			return chaintest.Answer{Result: result}
		}
		return chaintest.Pass
	})
	var slot int64
	if err := c.node.Call(t.Context(), &slot, "getSlot", map[string]string{"commitment": "finalized"}); err != nil {
		t.Fatal(err)
	}
	frozen.Store(slot)
	first := c.run(c.transfer(c.token, solPrice, reference)...)
	c.await(order, false, settlement.StateConfirming)
	name := solana.FormatTxID(first)
	gone.Store(&name)
	frozen.Store(0)
	c.await(order, false, settlement.StateAwaitingPayment)
	if kinds := c.history(p); kinds[len(kinds)-1] != settlement.EventTransferWithdrawn {
		t.Errorf("history %v", kinds)
	}
	second := c.run(c.transfer(c.token, solPrice, reference)...)
	if txid, _ := c.settledBy(order); txid != second {
		t.Errorf("settled by %s, want the second", solana.FormatTxID(txid))
	}
}

// A tier lets a small sum settle once the cluster has voted for it.
func solanaSmallSumAtConfirmed(t *testing.T) {
	t.Parallel()
	c := newCluster(t, false, func(c *cluster, _ *setup, _ *orchestration.RailRecommendation) {
		c.tiers = []solana.Tier{{Token: key(c.token.Mint), UpTo: settlement.NewAmount(solPrice), Finality: solana.Confirmed}}
	})
	order, p, reference := c.open()
	var slot int64
	if err := c.node.Call(t.Context(), &slot, "getSlot", map[string]string{"commitment": "finalized"}); err != nil {
		t.Fatal(err)
	}
	c.proxy.Intercept(func(call chaintest.Call) chaintest.Answer { // nothing more becomes final
		if call.Method == "getSlot" && strings.Contains(string(call.Params), "finalized") {
			return chaintest.Answer{Result: json.RawMessage(fmt.Sprint(slot))}
		}
		return chaintest.Pass
	})
	paid := c.run(c.transfer(c.token, solPrice, reference)...)
	if txid, _ := c.settledBy(order); txid != paid {
		t.Errorf("settled by %s", solana.FormatTxID(txid))
	}
	seen, err := store.TransfersOf(t.Context(), c.pool, []settlement.PaymentID{p.ID})
	if err != nil || len(seen) != 1 || seen[0].Sighting.Verdict.Evidence.Finality != "confirmed" {
		t.Errorf("seen %+v, err %v", seen, err)
	}
}

// What a tick asks of the endpoint follows the payees, whatever the number of payments that are open at them.
func solanaCallsFollowPayees(t *testing.T) {
	t.Parallel()
	c := newCluster(t, false)
	perTick := func() float64 {
		t.Helper()
		lists, slots := c.proxy.Calls("getSignaturesForAddress"), c.proxy.Calls("getSlot")
		c.eventually("20 ticks have passed", func() error {
			if c.proxy.Calls("getSlot") < slots+40 { // two a tick
				return errNotYet
			}
			return nil
		})
		return float64(c.proxy.Calls("getSignaturesForAddress")-lists) / 20
	}
	c.open()
	perTick() // what was opened just now is looked for once more
	one := perTick()
	var orders []string
	for range 20 {
		order := c.order()
		c.tell(order)
		orders = append(orders, order)
	}
	for _, order := range orders {
		c.await(order, false, settlement.StateAwaitingPayment)
	}
	perTick()
	if many := perTick(); many > one+0.2 || one > 1.2 {
		t.Errorf("%.2f lists a tick with one open payment, %.2f with 21", one, many)
	} else {
		t.Logf("%.2f lists a tick with one open payment, %.2f with 21", one, many)
	}
}

// What was paid while nobody watched is found after a restart, in an order or for one that was not known yet.
func solanaRestartCatchesUp(t *testing.T) {
	t.Parallel()
	c := newCluster(t, false)
	type opened struct {
		order     string
		reference sdk.PublicKey
	}
	var orders []opened
	for range 3 {
		order, _, reference := c.open()
		orders = append(orders, opened{order, reference})
	}
	c.run(c.transfer(c.token, solPrice, orders[0].reference)...)
	c.settledBy(orders[0].order)
	c.stop()
	for _, o := range orders[1:] {
		c.run(c.transfer(c.token, solPrice, o.reference)...)
	}
	c.runner = c.newRunner(c.setup)
	c.stop = c.start(c.runner)
	for _, o := range orders[1:] {
		c.settledBy(o.order)
	}
}

// A payment that the endpoint announces is found before the next poll; without announcements it waits for that and no
// longer.
func solanaAnnouncedPayments(t *testing.T) {
	t.Parallel()
	relay := chaintest.NewRelay(t, theNode.WebSocket())
	c := newCluster(t, false, func(c *cluster, _ *setup, _ *orchestration.RailRecommendation) {
		c.poll, c.socket = 15*time.Second, "ws://"+relay.Address()
	})
	polled := func() uint64 { // moves with each poll
		t.Helper()
		cursor, err := store.ChainCursor(t.Context(), c.pool, c.id)
		if err != nil {
			t.Fatal(err)
		}
		return cursor.Number
	}
	type opened struct {
		order     string
		reference sdk.PublicKey
	}
	var orders []opened
	for range 18 {
		order, _, reference := c.open()
		orders = append(orders, opened{order, reference})
	}
	// pay pays the next order and reports whether it was found between two polls.
	pay := func() bool {
		t.Helper()
		next := orders[0]
		orders = orders[1:]
		before := polled()
		c.run(c.transfer(c.token, solPrice, next.reference)...)
		c.await(next.order, false, settlement.StateConfirming, settlement.StateVerified, settlement.StateHeld)
		return polled() == before
	}
	// A poll may come between, or be under way: one of several tries shows it.
	between := func(want bool) {
		t.Helper()
		for range 6 {
			if pay() == want {
				return
			}
		}
		t.Fatalf("between two polls: never %t", want)
	}
	between(true)
	relay.Cut(true)
	between(false)
	relay.Cut(false)
	c.eventually("the endpoint is listened to again", func() error {
		if relay.Connections() == 0 {
			return errNotYet
		}
		return nil
	})
	between(true)
}

// Money that comes to an account of the payee which was opened after its accounts were listed: the reference in it is found
// with the account, when they are listed again.
func solanaAccountThatIsNew(t *testing.T) {
	t.Parallel()
	c := newCluster(t, false)
	order, _, reference := c.open()
	c.eventually("the payee's accounts are listed", func() error {
		if c.proxy.Calls("getTokenAccountsByOwner") == 0 {
			return errNotYet
		}
		return nil
	})
	fresh, err := devnet.NewSolanaKey()
	if err != nil {
		t.Fatal(err)
	}
	const length, rent = 165, (165 + 128) * 6960 // of a token account
	alice, account := c.alice.PublicKey(), fresh.PublicKey()
	create := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(make([]byte, 4), rent), length)
	pay := append(binary.LittleEndian.AppendUint64([]byte{12}, solPrice), c.token.Decimals)
	txid, err := c.node.Send(t.Context(), c.alice, []sdk.PrivateKey{fresh},
		sdk.NewInstruction(sdk.SystemProgramID, sdk.AccountMetaSlice{sdk.Meta(alice).SIGNER().WRITE(), sdk.Meta(account).SIGNER().WRITE()},
			append(create, c.token.Program[:]...)),
		sdk.NewInstruction(c.token.Program, sdk.AccountMetaSlice{sdk.Meta(account).WRITE(), sdk.Meta(c.token.Mint)},
			append([]byte{18}, c.bob.PublicKey().Bytes()...)), // InitializeAccount3
		sdk.NewInstruction(c.token.Program, sdk.AccountMetaSlice{
			sdk.Meta(c.token.Account(alice)).WRITE(), sdk.Meta(c.token.Mint), sdk.Meta(account).WRITE(), sdk.Meta(alice).SIGNER(), sdk.Meta(reference),
		}, pay))
	if err != nil {
		t.Fatal(err)
	}
	c.ahead.Store(int64(11 * time.Minute))
	p := c.await(order, false, settlement.StateNeedsReview)
	if p.Reason != settlement.PayeeMismatch {
		t.Errorf("reason %s (%s), want %s: the wallet may not show that account", p.Reason, p.Detail, settlement.PayeeMismatch)
	}
	if seen := c.transfers(p); len(seen) != 1 || seen[0].Sighting.TxID != settlement.TxID(txid[:]) {
		t.Errorf("seen %+v, want %s", seen, txid)
	}
}

// An intent whose payee is a token account is refused, and the refusal says which wallet owns it.
func solanaPayeeIsATokenAccount(t *testing.T) {
	t.Parallel()
	c := newCluster(t, false, func(c *cluster, _ *setup, a *orchestration.RailRecommendation) {
		a.PayeeAddress = c.token.Account(c.alice.PublicKey()).String()
	})
	order := c.order()
	c.tell(order)
	if p := c.await(order, false, settlement.StateNeedsReview); p.Reason != rails.PayeeInvalid || !strings.Contains(p.Detail, c.alice.PublicKey().String()) {
		t.Errorf("reason %s: %s", p.Reason, p.Detail)
	}
	if paid, ok := c.market.Payment(order); ok {
		t.Errorf("the orchestrator was asked for %+v", paid)
	}
}

// A wallet that nobody has named forgets the reference, and says by its signature which of two orders it paid.
func solanaPayerProvesHimself(t *testing.T) {
	t.Parallel()
	c := newCluster(t, false)
	prove := c.prove
	first, p, _ := c.open()
	paid := c.run(c.transfer(c.token, solPrice)...)
	if p := c.await(first, false, settlement.StateNeedsReview); p.Reason != settlement.ReferenceMismatch {
		t.Fatalf("reason %s: %s", p.Reason, p.Detail)
	}
	prove(p, paid)
	if got, position := c.settledBy(first); got != paid || position != "ix/1" {
		t.Errorf("settled by %s at %s", solana.FormatTxID(got), position)
	}
	second, _, _ := c.open()
	third, p, _ := c.open()
	paid = c.run(c.transfer(c.token, solPrice)...)
	prove(p, paid)
	if got, _ := c.settledBy(third); got != paid {
		t.Errorf("settled by %s", solana.FormatTxID(got))
	}
	if p := c.await(second, false, settlement.StateAwaitingPayment); p.Settled() {
		t.Errorf("the other order is settled by %s", solana.FormatTxID(p.PaidBy))
	}
}

// Several small transfers are the price together: in a transaction of their own and in one with others, by their reference.
func solanaPartsAddUp(t *testing.T) {
	t.Parallel()
	c := newCluster(t, false, func(_ *cluster, s *setup, _ *orchestration.RailRecommendation) {
		s.leniency = settlement.Leniency{Parts: true}
	})
	order, _, reference := c.open()
	c.run(c.transfer(c.token, solPrice/2, reference)...)
	c.eventually("the half counts", func() error {
		p, err := c.payment(order)
		if err == nil && p.Received != settlement.NewAmount(solPrice/2) {
			err = fmt.Errorf("%s received in state %s", p.Received, p.State)
		}
		return err
	})
	from, to := c.alice.PublicKey(), c.bob.PublicKey()
	last := c.run(c.token.Transfer(from, to, solPrice/4, reference), c.token.Transfer(from, to, solPrice/4, reference))
	p := c.await(order, false, settlement.StateHeld)
	if p.PaidBy != last || p.Received != p.Terms.Amount || len(p.Flags) != 0 {
		t.Errorf("paid by %s, received %s, flags %v", solana.FormatTxID(p.PaidBy), p.Received, p.Flags)
	}
	seen, err := store.TransfersOf(t.Context(), c.pool, []settlement.PaymentID{p.ID})
	if err != nil || len(seen) != 3 || slices.ContainsFunc(seen, func(s store.SeenTransfer) bool { return !s.Sighting.Verdict.IsPart() }) {
		t.Errorf("transfers %+v, %v", seen, err)
	}
}
