package api

import (
	"strings"
	"time"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// Money is an amount of a token in its two forms. Exported for the same reason as PaymentSummary.
type Money struct {
	Amount      string `json:"amount" doc:"In the token's base units, decimal digits." example:"1500000"`
	AmountMajor string `json:"amount_major" doc:"The same amount in major units, with all of the token's decimals." example:"1.500000"`
	Symbol      string `json:"symbol" doc:"The token's symbol in our registry, for people." example:"USDC"`
	Decimals    int    `json:"decimals" doc:"Digits after the point in amount_major." example:"6"`
}

// price is what an order costs on its chain.
type price struct {
	Money
	Chain   string `json:"chain" doc:"CAIP-2 id of the chain." example:"eip155:8453"`
	Token   string `json:"token" doc:"The token's contract in the chain's own form; empty for the chain's native coin." example:"0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"`
	Rounded bool   `json:"rounded" doc:"The price was finer than the token's decimals and was rounded half up."`
}

// PaymentSummary is a payment in a list. It is exported because encoding/json and huma embed exported types alone.
type PaymentSummary struct {
	PaymentID   string     `json:"payment_id" doc:"Our id, a UUIDv7." example:"019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11"`
	OrderID     string     `json:"order_id" doc:"The marketplace's order." example:"ord_4f9a"`
	Marketplace string     `json:"marketplace" example:"acme"`
	MachineID   string     `json:"machine_id" example:"mach_7Qm2"`
	State       state      `json:"state"`
	ActsNext    string     `json:"acts_next" enum:"us,payer,chain,marketplace,person,nobody" doc:"Who has to do something for the payment to go on." example:"payer"`
	Flags       []flag     `json:"flags" nullable:"false" doc:"Facts beside the state; they stay."`
	Reason      string     `json:"reason" doc:"Code of why a person must decide or why it was closed; else empty." example:"AMOUNT_MISMATCH"`
	Detail      string     `json:"detail" doc:"The reason in words." example:"under"`
	Rail        string     `json:"rail" doc:"The orchestrator's word for the way of paying." example:"wdk-usdt-transfer"`
	Price       *price     `json:"price,omitempty" doc:"Absent until the intent was checked."`
	Deadline    *time.Time `json:"deadline,omitempty" doc:"Until when the payer is told to pay; absent until the intent was checked."`
	Received    *Money     `json:"received,omitempty" doc:"What the transfers brought that count for the payment; absent while none does."`
	PaidBy      string     `json:"paid_by" doc:"The transaction that settled the payment; empty before." example:""`
	Platform    platform   `json:"platform"`
	PayURL      string     `json:"pay_url" doc:"For the payer. Whoever has it sees the instructions and may name transactions." example:"https://settler.example/v1/pay/Zm9vYmFyYmF6cXV4MTIzNA"`
	Version     int64      `json:"version" doc:"Counts the payment's changes." example:"3"`
	CreatedAt   time.Time  `json:"created_at"`
	UpdatedAt   time.Time  `json:"updated_at"`
}

// platform is what the orchestrator says, beside what we know.
type platform struct {
	Status   string `json:"status" doc:"The orchestrator's own status of the payment when last read; its words, not ours." example:"pending"`
	Observed bool   `json:"observed" doc:"The orchestrator refuses our identity and is not told: the payment is looked after and verified by us alone."`
}

// paymentBody is everything about one payment.
type paymentBody struct {
	PaymentSummary
	Instructions *instructions    `json:"instructions,omitempty" doc:"What the payer is told; absent until the intent was checked."`
	Custody      string           `json:"custody" enum:",vault,none" doc:"Who holds an escrowed payment: vault, which is the payee of the instructions and which we operate; none, somebody else, whose money we do not move. Empty for direct rails." example:"vault"`
	Held         *Money           `json:"held,omitempty" doc:"What the vault holds by our books or, of a direct payment, what has arrived and was not given back. What is under way counts as held in a vault until it has left. Absent for nothing."`
	Movements    []movement       `json:"movements" nullable:"false" doc:"What was or is moved out of the vault or, of a direct payment, given back out of the operator's wallet, by part."`
	Approvals    []approval       `json:"approvals" nullable:"false" doc:"What was asked for about the payment and needed other people, oldest first; a hundred at most."`
	Disputes     []dispute        `json:"disputes" nullable:"false" doc:"What was or is contested about the payment, oldest first."`
	Transactions []transaction    `json:"transactions" nullable:"false" doc:"Every transfer that was seen for the payment, with our verdict and its evidence."`
	Named        string           `json:"named" doc:"The transaction that was named and is being looked for; empty when there is none." example:""`
	PayerProofs  []payerProof     `json:"payer_proofs" nullable:"false" doc:"What wallets signed about their own transactions for this payment; each counts for transfers out of its signer alone."`
	History      []historyElement `json:"history" nullable:"false" doc:"Everything that happened to the payment, oldest first."`
	Actions      []action         `json:"actions" nullable:"false" doc:"What the caller may do about it as it is now: what a dry run would not refuse. Of refund, split and decide the amounts must fit what is held."`
}

// payerProof is a wallet's signature that its transaction pays the payment.
type payerProof struct {
	TxID      string    `json:"txid" example:"0x8b1f4a2d6c3e5b7a9d0c1e2f3a4b5c6d7e8f9a0b1c2d3e4f5a6b7c8d9e0f1a2b"`
	Signer    string    `json:"signer" example:"0x8617E340B3D01FA5F11F306F4090FD50E238070D"`
	Signature string    `json:"signature" doc:"Of instructions.proof_text with the transaction's id, in the chain's own form." example:"0x…1b"`
	Block     uint64    `json:"block,omitempty" doc:"The final block at which the signer, a contract, called it its own; absent where the signature speaks for itself." example:"21845030"`
	At        time.Time `json:"at"`
}

// movement is money that we move.
type movement struct {
	Part    int    `json:"part" doc:"Counts the payment's movements; a part that was tried is never used again." example:"0"`
	Purpose string `json:"purpose" enum:"release,refund,split,partial_refund,surplus" example:"release"`
	State   string `json:"state" enum:"proposed,approved,prepared,signed,sent,final,reverted,cancelled" doc:"approved: decided, and waits for its turn. prepared: has a nonce. final: the vault's own event, or the transfer, is in a final block. reverted: it was carried out and moved nothing. cancelled: given up before." example:"final"`
	ToPayee string `json:"to_payee" doc:"Base units for the payee." example:"1500000"`
	ToPayer string `json:"to_payer" doc:"Base units for the payer." example:"0"`
	From    string `json:"from" doc:"The vault or, of a direct payment, the operator's wallet; then empty until it has a nonce." example:"0x52908400098527886E0F7030069857D2E4169EE7"`
	Payee   string `json:"payee" doc:"Empty where nothing is for the payee to get." example:"0x52908400098527886E0F7030069857D2E4169EE7"`
	Payer   string `json:"payer" doc:"Who gets what is given back." example:"0x8617E340B3D01FA5F11F306F4090FD50E238070D"`
	TxID    string `json:"txid" doc:"The transaction that carried it out, or was signed last; empty before." example:""`
	URL     string `json:"explorer_url" doc:"Where people can look at it; empty without one, and when no explorer is configured." example:""`
	Fee     *Money `json:"fee,omitempty" doc:"What the transaction cost in all, in the chain's own coin; absent before it is final."`
	Problem string `json:"problem" doc:"Why it was reverted or cancelled, in words." example:""`
}

// historyElement is one accepted event.
type historyElement struct {
	Version int64     `json:"version" doc:"The payment's version after the event." example:"2"`
	Event   string    `json:"event" example:"intent_ready"`
	From    state     `json:"from"`
	To      state     `json:"to"`
	Reason  string    `json:"reason" example:""`
	Detail  string    `json:"detail" example:""`
	TxID    string    `json:"txid" doc:"The transaction that the event is about, if any." example:""`
	URL     string    `json:"explorer_url" doc:"Where people can look at it; empty without one, and when no explorer is configured." example:""`
	By      string    `json:"by" doc:"The person or machine who decided it; empty for what no one decided." example:""`
	Origin  string    `json:"origin" doc:"The network address that the decision came from; else empty." example:""`
	At      time.Time `json:"at"`
}

// block is where something was seen.
type block struct {
	Number uint64    `json:"number" example:"21845012"`
	Hash   string    `json:"hash" example:"0x5d0a2b7c9e6f1a3d4c8b7e6f5a4d3c2b1a0f9e8d7c6b5a4f3e2d1c0b9a8f7e6d"`
	Time   time.Time `json:"time" doc:"From the block itself."`
}

// transaction is one transfer that was seen.
type transaction struct {
	TxID        string               `json:"txid" example:"0x8b1f4a2d6c3e5b7a9d0c1e2f3a4b5c6d7e8f9a0b1c2d3e4f5a6b7c8d9e0f1a2b"`
	ExplorerURL string               `json:"explorer_url" doc:"Where people can look at it; empty when none is configured." example:""`
	Position    string               `json:"position" doc:"Which of the transaction's transfers: log/<logIndex>, native, ix/<path>." example:"log/17"`
	Token       string               `json:"token" example:"0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"`
	Payer       string               `json:"payer" doc:"Whose balance fell."`
	Payee       string               `json:"payee"`
	Money                            // what arrived
	Block       block                `json:"block"`
	Status      string               `json:"status" enum:"seen,final,withdrawn" doc:"seen: in a block that is not final; withdrawn: its block left the chain, or it is another order's." example:"final"`
	Waits       *waits               `json:"waits,omitempty" doc:"How far a seen transfer is from being final; absent for the others."`
	Verdict     verdict              `json:"verdict"`
	Checks      []check              `json:"checks" nullable:"false" doc:"How the verdict came about, check by check."`
	Settles     bool                 `json:"settles" doc:"This transfer settled the payment, alone or as one of its parts."`
	Counts      bool                 `json:"counts" doc:"It is in received: it settled the payment, is a part of its price, or was accepted to be given back."`
	Evidence    *settlement.Evidence `json:"evidence,omitempty" doc:"What was seen and where, for looking again."`
	SeenAt      time.Time            `json:"seen_at"`
}

// waits is what a transfer in a block that is not final waits for.
type waits struct {
	Text     string `json:"text" doc:"For people: confirming n of m, or waiting for a tag of the chain." example:"confirming 3 of 12"`
	Finality string `json:"finality" doc:"The chain's rule for a payment of this price." example:"depth 12"`
	Have     uint64 `json:"have" doc:"Blocks above the transfer's own, as last scanned and not above need." example:"3"`
	Need     uint64 `json:"need" doc:"Blocks that the rule asks for; 0 where it is a tag, which lies as far behind as it does." example:"12"`
}

// verdict is what we say about a transfer.
type verdict struct {
	Outcome string `json:"outcome" enum:"confirmed,rejected,pending" doc:"pending until the transfer is final." example:"confirmed"`
	Code    string `json:"code" doc:"Stable. While pending: what it will come to once final." example:"VERIFIED"`
	Detail  string `json:"detail" doc:"With AMOUNT_MISMATCH: under, over, fee_withheld, returned, or part: it counts, and is not all. With VERIFIED: under or over, where the marketplace takes that." example:""`
}

// render is how payments look from outside.
type render struct {
	s      *server
	now    time.Time
	latest uint64 // last scanned block of the payment's chain; only where transfers are shown
}

func (v render) summary(p settlement.Payment) PaymentSummary {
	b := PaymentSummary{
		PaymentID: p.ID.String(), OrderID: p.OrderID, Marketplace: p.Marketplace, MachineID: p.MachineID,
		State: state(p.State), ActsNext: p.State.Next(), Flags: flagsOf(p), Reason: string(p.Reason), Detail: p.Detail,
		Rail: p.Rail, PaidBy: v.txid(p.Terms.Token.Chain, p.PaidBy), Platform: platform{p.Platform, p.Observed},
		PayURL: v.s.payURL(p.ID), Version: p.Version, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
	if p.Terms.Payee != "" {
		b.Price = &price{
			Money: money(p.Terms.Amount, p.Terms.Token), Chain: string(p.Terms.Token.Chain),
			Token: v.address(p.Terms.Token.Chain, p.Terms.Token.Address), Rounded: p.Terms.Rounded,
		}
		b.Deadline = new(p.Terms.Deadline)
		b.Received = v.received(p)
	}
	return b
}

// received is nil while nothing counts for the payment.
func (v render) received(p settlement.Payment) *Money {
	if p.Received.IsZero() {
		return nil
	}
	return new(money(p.Received, p.Terms.Token))
}

func (v render) payment(about jobs.Subject, movements []settlement.Movement, proofs []store.PayerProof, records []store.Record,
	statements []store.Statement, approvals []store.Approval,
) paymentBody {
	p := about.Payment
	b := paymentBody{
		PaymentSummary: v.summary(p), Instructions: v.instructions(p), Named: v.txid(p.Terms.Token.Chain, p.Named),
		Transactions: make([]transaction, 0, len(about.Seen)), PayerProofs: make([]payerProof, 0, len(proofs)),
		History: make([]historyElement, 0, len(records)), Custody: string(p.Terms.Custody), Movements: make([]movement, 0, len(movements)),
		Approvals: make([]approval, 0, len(approvals)), Disputes: disputesOf(about.Disputes, statements, records),
	}
	if !about.Held.Amount.IsZero() {
		b.Held = new(money(about.Held.Amount, p.Terms.Token))
	}
	for _, a := range approvals {
		b.Approvals = append(b.Approvals, v.approval(a))
	}
	for _, kind := range v.s.cfg.Runner.ActionsOf(about) {
		b.Actions = append(b.Actions, action(kind))
	}
	for _, m := range movements {
		b.Movements = append(b.Movements, v.movement(p.Terms.Token.Chain, m))
	}
	for _, t := range about.Seen {
		b.Transactions = append(b.Transactions, v.transaction(p, t))
	}
	for _, f := range proofs {
		b.PayerProofs = append(b.PayerProofs, payerProof{
			TxID: v.txid(f.Chain, f.TxID), Signer: v.address(f.Chain, f.Signer), Signature: f.Signature, Block: f.Block, At: f.At,
		})
	}
	for _, r := range records {
		h := historyElement{
			Version: r.Version, Event: string(r.Kind), From: state(r.From), To: state(r.To), Reason: string(r.Reason), Detail: r.Detail,
			TxID: v.txid(p.Terms.Token.Chain, r.TxID), URL: v.explorer(p.Terms.Token.Chain, r.TxID), At: r.At,
		}
		if r.Decision != nil {
			h.By, h.Origin = r.Decision.Name, r.Decision.Origin
		}
		b.History = append(b.History, h)
	}
	return b
}

func (v render) movement(chain settlement.ChainID, m settlement.Movement) movement {
	from, payer := m.Vault.Address, m.Vault.Payer
	if m.Direct != nil {
		payer = m.Direct.Receiver
		if m.Slot != nil {
			from = m.Slot.Sender
		}
	}
	b := movement{
		Part: int(m.Part), Purpose: string(m.Purpose), State: string(m.State), ToPayee: m.ToPayee.String(), ToPayer: m.ToPayer.String(),
		From: v.address(chain, from), Payee: v.address(chain, m.Vault.Payee), Payer: v.address(chain, payer), TxID: v.txid(chain, m.TxID),
		URL: v.explorer(chain, m.TxID), Problem: m.Problem,
	}
	if m.Gas != nil {
		b.Fee = new(money(*m.Gas, v.coin(chain)))
	}
	return b
}

func (v render) transaction(p settlement.Payment, t store.SeenTransfer) transaction {
	s := t.Sighting
	return transaction{
		TxID: v.txid(t.Chain, s.TxID), ExplorerURL: v.explorer(t.Chain, s.TxID), Position: s.Transfer.Position,
		Token: v.address(t.Chain, s.Transfer.Token), Payer: v.address(t.Chain, s.Transfer.Payer), Payee: v.address(t.Chain, s.Transfer.Payee),
		Money:  money(s.Transfer.Amount, v.token(p, s.Transfer.Token)),
		Block:  block{s.Block.Number, s.Block.Hash.String(), s.Block.Time},
		Status: string(t.Status), Waits: v.waits(t), Verdict: verdictOf(t), Checks: v.checks(p, t), Settles: settles(p, t), Counts: t.Consumed,
		Evidence: s.Verdict.Evidence, SeenAt: t.SeenAt,
	}
}

// settles reports whether the transfer, or the part that it is, has settled the payment. One that people have accepted beside it counts,
// and has settled nothing.
func settles(p settlement.Payment, t store.SeenTransfer) bool {
	return p.Settled() && t.Consumed && (t.Sighting.TxID == p.PaidBy || p.Terms.Parts && t.Sighting.Verdict.IsPart())
}

func (v render) waits(t store.SeenTransfer) *waits {
	e := t.Sighting.Verdict.Evidence
	if t.Status != store.TransferSeen || e == nil {
		return nil
	}
	text, n, m := e.Finality.Progress(v.latest, t.Sighting.Block.Number)
	return &waits{text, string(e.Finality), n, m}
}

func verdictOf(t store.SeenTransfer) verdict {
	outcome := t.Sighting.Verdict.Outcome()
	if t.Status != store.TransferFinal {
		outcome = settlement.Pending
	}
	return verdict{string(outcome), string(t.Sighting.Verdict.Code), t.Sighting.Verdict.Detail}
}

func money(a settlement.Amount, t settlement.Token) Money {
	return Money{Amount: a.String(), AmountMajor: a.Major(t.Decimals), Symbol: t.Symbol, Decimals: int(t.Decimals)}
}

// coin is the chain's own.
func (v render) coin(id settlement.ChainID) settlement.Token {
	chain, _ := v.s.cfg.Runner.Chain(id)
	return chain.Coin
}

func flagsOf(p settlement.Payment) []flag {
	flags := make([]flag, len(p.Flags))
	for i, f := range p.Flags {
		flags[i] = flag(f)
	}
	return flags
}

// token is the registry's entry of a token that was seen: that of the terms, another one of the chain, or one that the
// registry does not list any more, whose units are shown as they are.
func (v render) token(p settlement.Payment, address settlement.Address) settlement.Token {
	if address == p.Terms.Token.Address {
		return p.Terms.Token
	}
	c, _ := v.s.cfg.Runner.Chain(p.Terms.Token.Chain)
	for _, t := range c.Tokens {
		if t.Address == address {
			return t
		}
	}
	return settlement.Token{Chain: p.Terms.Token.Chain, Address: address}
}

// address is the chain's own text form; of a chain that the configuration has lost, the raw bytes in hex.
func (v render) address(chain settlement.ChainID, a settlement.Address) string {
	if c, ok := v.s.cfg.Runner.Chain(chain); ok && a != "" {
		return c.FormatAddress(a)
	}
	return a.String()
}

func (v render) txid(chain settlement.ChainID, id settlement.TxID) string {
	if c, ok := v.s.cfg.Runner.Chain(chain); ok && id != "" {
		return c.FormatTxID(id)
	}
	return id.String()
}

func (v render) explorer(chain settlement.ChainID, id settlement.TxID) string {
	c, ok := v.s.cfg.Runner.Chain(chain)
	if !ok || c.Explorer == "" || id == "" {
		return ""
	}
	return strings.TrimSuffix(c.Explorer, "/") + "/tx/" + c.FormatTxID(id)
}
