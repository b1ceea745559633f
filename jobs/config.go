// Package jobs moves payments: the one door (Advance), one River worker per outside effect, the watchers' loops and the
// sweeper. It owns every commit. It neither reads a chain itself nor speaks HTTP to clients.
//
// Read next: advance.go, then the path of an order: inbox.go, orders.go, intent.go, watch.go, proof.go.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
)

// Verifier looks at one transaction of one chain.
type Verifier interface {
	// Verify reports whether the chain confirms the claim. A verdict is a fact about the payment; an error means that we
	// could not look and says nothing about it. Not found and not yet final are pending, never errors.
	Verify(ctx context.Context, claim settlement.Claim) (settlement.Verdict, error)
}

// Watcher looks at the blocks of one chain, each once for all payments.
type Watcher interface {
	// Heads is how far the chain has come, and how much of it is final under each rule that a payment may fall under.
	Heads(ctx context.Context) (settlement.Heads, error)
	// ScanFor returns what one block of the canonical chain moves to those that are waited at.
	ScanFor(ctx context.Context, number uint64, w settlement.Watched) (settlement.Scan, error)
	// CatchUp is ScanFor for many final blocks: spans of from..to go to deliver in order, without a gap between them. It may
	// end before to without an error.
	CatchUp(ctx context.Context, from, to uint64, w settlement.Watched, deliver func(settlement.Span) error) error
	// Hints gets a value when there may be a new block, until ctx ends. Hints get lost.
	Hints(ctx context.Context) <-chan struct{}
	// Rule is what must hold before a payment of that much of the token counts. Heads knows its finality, and every scan has
	// at least its trust.
	Rule(token settlement.Address, amount settlement.Amount) settlement.Rule
}

// AccountWatcher looks at the accounts of one chain that has no logs to search.
type AccountWatcher interface {
	// Heads and Rule are as of a Watcher.
	Heads(ctx context.Context) (settlement.Heads, error)
	Rule(token settlement.Address, amount settlement.Amount) settlement.Rule
	// Accounts are those in which the payee gets the token.
	Accounts(ctx context.Context, payee, token settlement.Address) ([]settlement.Address, error)
	// Holdings tells what wallets hold at the final slot, in their order; a hundred in one call. It is one endpoint's word: whoever
	// sees a change looks at the account.
	Holdings(ctx context.Context, of []settlement.Holder) ([]settlement.Holding, error)
	// Scan hands what names the account since the cursor to deliver, in portions, each with the cursor to commit with it.
	Scan(ctx context.Context, head settlement.Head, cursor settlement.AccountCursor, deliver func(settlement.AccountScan) error) error
	// Hints gets an account when there may be a new transaction that names it, until ctx ends. accounts is asked now and then,
	// from another goroutine, for those to listen at. Hints get lost.
	Hints(ctx context.Context, accounts func() []settlement.Address) <-chan settlement.Address
	// Fates tells what became of transactions that were seen before they were final.
	Fates(ctx context.Context, seen []settlement.SeenTx) ([]settlement.Fate, error)
}

// Instrument gives orders an address of their own to be paid at.
type Instrument interface {
	// Address is where the vault of the terms is; its own Address is left out of them. The error says why no vault may be
	// handed out for the terms.
	Address(terms settlement.Vault) (settlement.Address, error)
}

// Mover carries out movements with one signer's key on one chain. It keeps nothing: what a call returns is stored before
// the next call is made. An error says nothing about the movements.
type Mover interface {
	// Signer is the operator of the vaults that it pays out of, or the arbiter of those that are frozen.
	Signer() settlement.Address
	// Prepare reads the vaults at the final block and makes one transaction of the movements that can be carried out. It
	// says of the others why not. Without movements it reads the signer's nonce alone.
	Prepare(ctx context.Context, movements []settlement.Movement) (settlement.Prepared, error)
	// Sign signs the slot's transaction. Those of one slot differ in their fees alone, and in when they expire; each offers more
	// than the last. Where transactions expire it is asked for another one only once the last has (SlotExpired). One that is urgent may
	// offer more; settlement.ErrFeeCap means that it cannot be made dearer.
	Sign(ctx context.Context, slot settlement.Slot, call settlement.Call, last *settlement.Fees, urgent bool) (settlement.SignedTx, error)
	// Send hands signed bytes to the chain. The same bytes may be sent again and again.
	Send(ctx context.Context, raw []byte) error
	// Outcome says what has become of the slot, by what the chain shows of the transactions that were signed for it.
	Outcome(ctx context.Context, slot settlement.Slot, call settlement.Call, signed []settlement.SignedTx, movements []settlement.Movement) (settlement.SlotOutcome, error)
}

// Escrow is how a chain's escrow is held and moved.
type Escrow struct {
	Instrument Instrument
	Mover      Mover
	// Happened reads what happened at vaults in the final blocks from..to; of a chain that a Watcher looks at.
	Happened func(ctx context.Context, from, to uint64) ([]settlement.VaultEvent, error)
	// Arbiter freezes vaults, and divides what is frozen.
	Arbiter settlement.Address
	// ArbiterMover has the arbiter's key, with nonces of its own; nil where the key is none of ours. Then we freeze nothing on
	// the chain, and divide nothing that is frozen.
	ArbiterMover Mover
	// FreezeCall is the call that freezes a vault. Required with an ArbiterMover.
	FreezeCall func(settlement.Vault) (settlement.Call, error)
	// Try says why a contract would refuse the account's call at the latest block, empty when it would not. Required with an
	// ArbiterMover, and for a rehearsal.
	Try func(ctx context.Context, from settlement.Address, call settlement.Call) (refusal string, err error)
	// Code is what vaults run on. Where it is given, a vault is handed out only when one of this code was rehearsed with its token.
	Code *settlement.VaultCode
	// Epoch, where not 0, is that of the secret from which the keys of new vaults are derived: they are wallets, and whoever
	// operates settler holds custody. 0: vaults are contracts.
	Epoch uint32
	// EarlierMovers have the secrets of earlier epochs: each pays out of its own wallets, in slots of its own.
	EarlierMovers []Mover
	// GasReserves are of what the signers other than the arbiter have of the chain's coin. Balance, which asks for that, is required with them.
	GasReserves GasReserves
	Balance     func(ctx context.Context, of settlement.Address) (settlement.Amount, error)
	// TokenAccounts, where vaults are wallets, makes and closes token accounts of theirs at our cost; nil: it does neither.
	TokenAccounts *TokenAccounts
	// HoldFor is how long after the payer's last moment the money stays where only the operator can move it; then the payer
	// may take it back. DisputeFor is how long after that the arbiter may decide about what is frozen.
	HoldFor, DisputeFor time.Duration
	// HoldAtLeast of it must be left when the deposit is final, or a person decides.
	HoldAtLeast time.Duration
	// BumpAfter is how long a transaction may wait for a block before its fees are raised or, where transactions expire, before it
	// is sent again as it is.
	BumpAfter time.Duration
	// UrgentWithin is how long before a vault's deadline its transaction, with those before it, is urgent; 0 for never.
	UrgentWithin time.Duration
	// Batch is how many movements one transaction may carry out, 1 to 50.
	Batch int
}

// Refunds is how direct payments of a chain are given back: out of the operator's own wallet.
type Refunds struct {
	Mover Mover // its Signer is the wallet
	// BumpAfter is as that of an Escrow.
	BumpAfter time.Duration
	// Durable: its slots stand on one durable nonce, so that one is under way at a time.
	Durable bool
	// HasCode reports whether there is code at the account: then it may be that nobody can take the money out of it.
	HasCode func(ctx context.Context, account settlement.Address) (bool, error)
}

// Chain is one chain that settler serves.
type Chain struct {
	ID       settlement.ChainID
	Aliases  []string // friendly names, such as "base"
	Tokens   []settlement.Token
	Explorer string // URL to which "/tx/<id>" is appended; empty for none
	// Coin is the chain's own coin, in which transactions are paid; its symbol may be empty.
	Coin settlement.Token
	// PollInterval is how often the head is asked for.
	PollInterval time.Duration

	Verifier Verifier
	Watcher  Watcher        // or
	Accounts AccountWatcher // one of the two

	// Escrow is nil where nothing is held.
	Escrow *Escrow
	// Refunds is nil where direct payments are not given back. Its signer is none of the escrow's: each key has one use.
	Refunds *Refunds
	// Nonces are those of signers; nil where they have none, and none can be restarted.
	Nonces Nonces
	// ApprovalAbove is token → base units: who decides about more, alone and in a day, needs another person. A token that is not
	// listed needs one always.
	ApprovalAbove map[settlement.Address]settlement.Amount

	// References: each payment gets a reference key of its own, which its transfer may name.
	References bool
	// CheckPayee says in words why an account cannot be paid, empty when it can. nil where every account can.
	CheckPayee func(ctx context.Context, payee settlement.Address) (problem string, err error)

	// CheckSignature returns the final block at which the signer, a contract, calls the signature its own over the text; 0
	// where it speaks for itself. It returns a *settlement.SignatureError for one that proves nothing; every other error
	// means that we could not look.
	CheckSignature func(ctx context.Context, signer settlement.Address, text, signature string) (block uint64, err error)

	// The chain's own text forms. Parsing is strict and its errors are for people.
	ParseAddress  func(string) (settlement.Address, error)
	FormatAddress func(settlement.Address) string
	ParseTxID     func(string) (settlement.TxID, error)
	FormatTxID    func(settlement.TxID) string
}

// heads is how far the chain has come.
func (c Chain) heads(ctx context.Context) (settlement.Heads, error) {
	if c.Accounts != nil {
		return c.Accounts.Heads(ctx)
	}
	return c.Watcher.Heads(ctx)
}

// Rule is what must hold before a payment of that much of the token counts.
func (c Chain) Rule(token settlement.Address, amount settlement.Amount) settlement.Rule {
	if c.Accounts != nil {
		return c.Accounts.Rule(token, amount)
	}
	return c.Watcher.Rule(token, amount)
}

// Marketplace is one marketplace that settler serves.
type Marketplace struct {
	ID     string
	Client *orchestration.Client
	// Gate is the transport of Client.
	Gate *Gate
	// Session keeps our pairing with a machine; it is called once per machine and kept.
	Session func(machineID string) (*orchestration.Session, error)

	// ListInterval is the time between two pages of the regular listing of orders, which finds what webhooks missed. 0
	// turns it off.
	ListInterval time.Duration
	// Machines are those whose orders are listed; none means all that the orchestrator shows us.
	Machines []string

	Deadline time.Duration // how long a payer has
	Grace    time.Duration // how long after the deadline a payment still counts
	// Leniency is what is taken beside one exact payment in time by one of the payers.
	Leniency settlement.Leniency
	Skew     time.Duration // by how much a block may be older than the intent
	// Disputes is how long people have in a dispute. Defaults to DefaultDisputes.
	Disputes settlement.DisputePolicy
}

// DefaultDisputes is the policy of a marketplace that has none.
var DefaultDisputes = settlement.DisputePolicy{
	RespondWithin: 72 * time.Hour, DecideWithin: 240 * time.Hour, AppealWithin: 72 * time.Hour, RemindBefore: 24 * time.Hour,
	Default: settlement.DefaultNone,
}

// Config is what a Runner needs. All fields are required but those that name a default.
type Config struct {
	Pool *pgxpool.Pool
	// DirectURL reaches Postgres itself, not a pooler in transaction mode: locks and notifications need a session.
	DirectURL    string
	Marketplaces []Marketplace
	Chains       []Chain
	// PayTokenKey derives the tokens in payers' links; at least 32 bytes, the same in every process.
	PayTokenKey []byte
	Logger      *slog.Logger
	// HighWater remembers outside Postgres what was sent. nil remembers nothing.
	HighWater *HighWater
	// ApprovalExpiry is how long a request waits for approval. Defaults to 72 hours.
	ApprovalExpiry time.Duration
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

func (c *Config) validate() error {
	var faults []error
	missing := func(name string, absent bool) {
		if absent {
			faults = append(faults, fmt.Errorf("%s is required", name))
		}
	}
	missing("Pool", c.Pool == nil)
	missing("DirectURL", c.DirectURL == "")
	missing("Logger", c.Logger == nil)
	missing("Marketplaces", len(c.Marketplaces) == 0)
	missing("Chains", len(c.Chains) == 0)
	missing("PayTokenKey of at least 32 bytes", len(c.PayTokenKey) < 32)
	for _, m := range c.Marketplaces {
		missing("Client, Gate and Session of marketplace "+m.ID, m.Client == nil || m.Gate == nil || m.Session == nil)
		missing("Deadline of marketplace "+m.ID, m.Deadline <= 0)
	}
	for _, ch := range c.Chains {
		missing("Verifier and one of Watcher and Accounts of chain "+string(ch.ID), ch.Verifier == nil || (ch.Watcher == nil) == (ch.Accounts == nil))
		missing("PollInterval of chain "+string(ch.ID), ch.PollInterval <= 0)
		missing("CheckSignature of chain "+string(ch.ID), ch.CheckSignature == nil)
		if e := ch.Escrow; e != nil {
			missing("Instrument, Mover, Happened, Arbiter, FreezeCall and times of the escrow of chain "+string(ch.ID), e.Instrument == nil || e.Mover == nil || ch.Watcher != nil && e.Happened == nil || e.ArbiterMover != nil && (e.FreezeCall == nil || e.Try == nil) ||
				e.Arbiter == "" || e.HoldFor <= 0 || e.DisputeFor <= 0 || e.HoldAtLeast < 0 || e.BumpAfter <= 0 || e.Batch < 1 || e.Batch > maxBatch)
			missing("Balance, which GasReserves need, of the escrow of chain "+string(ch.ID), len(e.GasReserves) > 0 && e.Balance == nil)
		}
		if re := ch.Refunds; re != nil {
			missing("Mover, BumpAfter and HasCode of the refunds of chain "+string(ch.ID), re.Mover == nil || re.BumpAfter <= 0 || re.HasCode == nil)
		}
		missing("text forms of chain "+string(ch.ID),
			ch.ParseAddress == nil || ch.FormatAddress == nil || ch.ParseTxID == nil || ch.FormatTxID == nil)
	}
	if c.ApprovalExpiry == 0 {
		c.ApprovalExpiry = 72 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return errors.Join(faults...)
}
