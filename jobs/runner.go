package jobs

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
)

// riverSchema is migrations.RiverSchema, which this package may not import.
const riverSchema = "river"

// Runner is the one door to payments and the work behind it.
type Runner struct {
	cfg          Config
	chains       map[settlement.ChainID]Chain
	marketplaces map[string]Marketplace
	// river only inserts; the client that works lives as long as its session (liveness.go).
	river    *river.Client[pgx.Tx]
	inbox    inbox
	counters counters

	mu       sync.Mutex                           // guards what follows
	sessions map[[2]string]*orchestration.Session // (marketplace, machine id) → pairing session
	heads    map[settlement.ChainID]time.Time     // chain → when its head was last read by this process
	session  bool                                 // this process holds its lock and works
}

// New checks the configuration and builds a Runner. Run makes it work; Advance and AcceptWebhook work without.
func New(cfg Config) (*Runner, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	r := &Runner{
		cfg: cfg, chains: make(map[settlement.ChainID]Chain), marketplaces: make(map[string]Marketplace),
		sessions: make(map[[2]string]*orchestration.Session), heads: make(map[settlement.ChainID]time.Time),
		inbox: inbox{arrived: make(chan struct{}, 1)}, counters: counters{events: make(map[Step]uint64)},
	}
	for _, c := range cfg.Chains {
		r.chains[c.ID] = c
	}
	for _, m := range cfg.Marketplaces {
		r.marketplaces[m.ID] = m
	}
	var err error
	r.river, err = river.NewClient(riverpgxv5.New(cfg.Pool), &river.Config{Schema: riverSchema, Logger: cfg.Logger})
	if err != nil {
		return nil, fmt.Errorf("jobs: prepare River: %w", err)
	}
	return r, nil
}

// Chain returns the chain's registry entry and text forms.
func (r *Runner) Chain(id settlement.ChainID) (Chain, bool) {
	c, ok := r.chains[id]
	return c, ok
}

// ChainNamed returns the chain with the id or alias, in any letter case.
func (r *Runner) ChainNamed(name string) (Chain, bool) {
	for _, c := range r.cfg.Chains {
		if strings.EqualFold(name, string(c.ID)) || containsFold(c.Aliases, name) {
			return c, true
		}
	}
	return Chain{}, false
}

// Chains are all chains that are served.
func (r *Runner) Chains() []Chain { return r.cfg.Chains }

// PayToken is the token of the payment's link for its payer: 128 bits in 22 characters of base64url. It is derived, so
// that every process can show it; the database holds its hash alone.
func (r *Runner) PayToken(id settlement.PaymentID) string {
	mac := hmac.New(sha256.New, r.cfg.PayTokenKey)
	mac.Write([]byte("settler pay token\x00"))
	mac.Write(id[:])
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

// reference is the payment's reference key. It is derived, so that an intent that was made before a crash names the same
// one, and nobody who does not know the secret can name it first.
func (r *Runner) reference(id settlement.PaymentID) settlement.Address {
	mac := hmac.New(sha256.New, r.cfg.PayTokenKey)
	mac.Write([]byte("settler reference\x00"))
	mac.Write(id[:])
	return settlement.Address(mac.Sum(nil))
}

// HashPayToken is the form in which a pay token is stored.
func HashPayToken(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

// NameTransaction records that somebody named a transaction for the payment; a job looks at it. Naming the one that is
// looked for already, or that has settled the payment, changes nothing and is no error. It returns store.ErrNotFound and
// settlement.ErrNotAccepted, wrapped.
func (r *Runner) NameTransaction(ctx context.Context, id settlement.PaymentID, txid settlement.TxID) (settlement.Payment, error) {
	results, err := r.Advance(ctx, settlement.Event{
		ID:      fmt.Sprintf("named/%s/%d", txid, r.now().UnixNano()/int64(time.Second)),
		Payment: id, Kind: settlement.EventTransactionNamed, TxID: txid,
	})
	if err != nil {
		return settlement.Payment{}, err
	}
	res := results[0]
	known := txid != "" && (res.Payment.PaidBy == txid || res.Payment.Named == txid)
	if errors.Is(res.Err, ErrDuplicate) || errors.Is(res.Err, settlement.ErrNotAccepted) && known {
		return res.Payment, nil
	}
	return res.Payment, res.Err
}

// ProvePayer takes over a payer's proof, once its signature holds, and has its transaction looked at. For a payment that
// the transaction has settled it changes nothing and is no error. It returns settlement.ErrNotAccepted,
// *settlement.SignatureError and *settlement.LookError, wrapped.
func (r *Runner) ProvePayer(ctx context.Context, p settlement.Payment, proof settlement.PayerProof) (settlement.Payment, error) {
	chain, ok := r.chains[p.Terms.Token.Chain]
	switch {
	case !ok:
		return p, fmt.Errorf("chain %q is not in the configuration", p.Terms.Token.Chain)
	case proof.Signer == p.Terms.Payee:
		return p, &settlement.SignatureError{Problem: "the signer is the payee, who cannot pay himself"}
	}
	var err error
	text := settlement.ProofText(p.ID, chain.ID, chain.FormatTxID(proof.TxID))
	if proof.Block, err = chain.CheckSignature(ctx, proof.Signer, text, proof.Signature); err != nil {
		return p, err
	}
	results, err := r.Advance(ctx, settlement.Event{
		ID:      fmt.Sprintf("proved/%s/%s/%d", proof.TxID, proof.Signer, r.now().UnixNano()/int64(time.Second)),
		Payment: p.ID, Kind: settlement.EventPayerProved, TxID: proof.TxID, Proof: &proof, Detail: "signed by " + chain.FormatAddress(proof.Signer),
	})
	if err != nil {
		return p, err
	}
	res := results[0]
	if errors.Is(res.Err, ErrDuplicate) || errors.Is(res.Err, settlement.ErrNotAccepted) && res.Payment.PaidBy == proof.TxID {
		return res.Payment, nil
	}
	return res.Payment, res.Err
}

// Ready reports why this process should get no traffic: the database does not answer, it has lost its session, or a chain
// that it watches has not been read for long.
func (r *Runner) Ready(ctx context.Context) error {
	if err := r.cfg.Pool.Ping(ctx); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.session {
		return errors.New("jobs: no session with the database yet")
	}
	for id, at := range r.heads {
		if age := r.now().Sub(at); age > headStale(r.chains[id].PollInterval) {
			return fmt.Errorf("chain %s: head last read %s ago", id, age.Round(time.Second))
		}
	}
	return nil
}

// headStale is the age of a head at which a chain counts as not watched.
func headStale(poll time.Duration) time.Duration { return max(30*time.Second, 10*poll) }

// now is the clock in whole microseconds, the precision of Postgres.
func (r *Runner) now() time.Time { return r.cfg.Now().UTC().Truncate(time.Microsecond) }

// sessionOf is our pairing session with a machine.
func (r *Runner) sessionOf(marketplace, machineID string) (*orchestration.Session, error) {
	m, ok := r.marketplaces[marketplace]
	if !ok {
		return nil, fmt.Errorf("marketplace %q is not in the configuration", marketplace)
	}
	key := [2]string{marketplace, machineID}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok := r.sessions[key]; ok {
		return s, nil
	}
	s, err := m.Session(machineID)
	if err != nil {
		return nil, fmt.Errorf("session with %s of %s: %w", machineID, marketplace, err)
	}
	r.sessions[key] = s
	return s, nil
}

// chunks splits values into slices of at most maxRows.
func chunks[T any](values []T) [][]T { return slices.Collect(slices.Chunk(values, maxRows)) }
