package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	escrowevm "github.com/settler-pay/settler/escrow/evm"
	escrowsolana "github.com/settler-pay/settler/escrow/solana"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/migrations"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
)

const (
	// headPatience is the age of the latest block at which an endpoint counts as behind its chain.
	headPatience = 5 * time.Minute
	// clockPatience is by how much our clock may differ from the orchestrator's. Its Date header has whole seconds;
	// signatures and sessions are good for minutes.
	clockPatience = 30 * time.Second
	// doctorPatience bounds one check.
	doctorPatience = 20 * time.Second
)

type doctorCmd struct {
	configFlag

	Output string `short:"o" enum:"text,json" default:"text" help:"text or json (default: ${default})."`

	Rehearse           string `placeholder:"CHAIN" help:"Also bring one base unit of each token through vaults of this chain (id or alias) and back. It moves money."`
	Token              string `placeholder:"SYMBOL" help:"With --rehearse: only this token (default: all that were not rehearsed; named, again)."`
	Wallet             string `placeholder:"FILE" help:"With --rehearse: keystore file of a wallet with one base unit of each token and coin for gas."`
	WalletPasswordFile string `placeholder:"FILE" help:"With --rehearse: file with its password."`
}

// finding is what one check found.
type finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Do     string `json:"do,omitempty"` // what to do when it is not ok
}

// text is the finding on one line.
func (f finding) text() string {
	if f.OK {
		return fmt.Sprintf("ok    %s: %s\n", f.Check, f.Detail)
	}
	return fmt.Sprintf("FAIL  %s: %s. Do: %s\n", f.Check, strings.TrimSuffix(f.Detail, "."), f.Do)
}

// Run checks all and prints each finding when it is there; exit 1 when one failed.
func (cmd *doctorCmd) Run(ctx context.Context, std *streams) error {
	var findings []finding
	var printErr error
	d := doctor{report: func(check, detail string, err error, do string) {
		f := finding{Check: check, OK: err == nil, Detail: detail}
		if err != nil {
			f.Detail, f.Do = oneLine(strings.TrimLeft(strings.TrimPrefix(err.Error(), "configuration"), ": ")), do
		}
		findings = append(findings, f)
		if cmd.Output == "text" {
			_, err := io.WriteString(std.Out, f.text())
			printErr = cmp.Or(printErr, err)
		}
	}}
	cfg, err := cmd.load()
	d.report("configuration", "every key is right", err, "correct the file or the environment; `settler config example` shows every key")
	if err == nil {
		d.checkAgent(ctx, cfg)
		d.checkDatabase(ctx, cfg)
		d.checkChains(ctx, cfg)
		d.checkSigners(ctx, cfg)
		d.checkVaultSecret(cfg)
		d.checkOrchestrators(ctx, cfg)
		if cmd.Rehearse != "" {
			cmd.rehearse(ctx, std, cfg, d)
		}
		d.checkRehearsals(ctx, cfg)
	}
	if cmd.Output == "json" {
		encoder := json.NewEncoder(std.Out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		printErr = encoder.Encode(findings)
	}
	if printErr != nil {
		return fmt.Errorf("print the findings: %w", printErr)
	}
	for _, f := range findings {
		if !f.OK {
			return exitFailed
		}
	}
	return nil
}

// oneLine puts a message of several lines on one; a line that ends in a colon leads to the next, others end in a semicolon.
func oneLine(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.Join(strings.Fields(line), " ")
		switch {
		case line == "":
			continue
		case strings.HasSuffix(b.String(), ":"):
			b.WriteString(" ")
		case b.Len() > 0:
			b.WriteString("; ")
		}
		b.WriteString(line)
	}
	return b.String()
}

// doctor looks at what the service depends on. Each check reports once: err nil means ok and shows detail.
type doctor struct {
	report func(check, detail string, err error, do string)
}

// doctorMessage is what the agent's key signs for the doctor; nobody takes it for the answer to a challenge.
const doctorMessage = "settler doctor asks whether this key signs. This signature is good for nothing."

// checkAgent makes a signature: a remote signer checks that it is the configured key's.
func (d doctor) checkAgent(ctx context.Context, cfg *Config) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	do := "correct agent.keystore and agent.password or agent.password_file"
	if cfg.Agent.Keystore == "" {
		do = "see whether the signer is up and has the key, or correct agent.remote"
	}
	detail := ""
	agent, err := cfg.Agent.signer()
	if err == nil {
		detail = "address " + agent.Address()
		_, err = agent.SignMessage(ctx, []byte(doctorMessage))
	}
	d.report("agent key", detail, err, do)
}

// checkSigners has each signer sign what no chain will include, and looks whether it can pay for gas.
func (d doctor) checkSigners(ctx context.Context, cfg *Config) {
	for i, s := range cfg.Signers {
		err := d.checkSigner(ctx, cfg, i)
		d.report("signer "+s.Name, fmt.Sprintf("signs on %d chain(s) as %s", len(s.Chains), s.Address), err,
			fmt.Sprintf("see whether the signer is up and has the key, or correct signers[%d]", i))
		for j, at := range s.Chains {
			p := purse{name: s.Name, chain: settlement.ChainID(at.Chain), address: s.Address}
			entry, _ := cfg.chainNamed(at.Chain)
			chain, _, err := newEVM(entry)
			if err == nil {
				p, err = signerPurse(s, j, chain, p.chain)
			}
			d.checkPurse(ctx, p, err)
		}
	}
}

// checkPurse looks at what the wallet has, if it could be made out.
func (d doctor) checkPurse(ctx context.Context, p purse, err error) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	detail := ""
	if err == nil {
		var balance settlement.Amount
		if balance, err = p.balance(ctx); err == nil {
			detail = fmt.Sprintf("%s, above the reserve of %s", balance.Major(p.units), p.text)
			if balance.Cmp(p.reserve) < 0 {
				err = fmt.Errorf("%s, below the reserve of %s", balance.Major(p.units), p.text)
			}
		}
	}
	d.report(fmt.Sprintf("gas of %s on %s", p.name, p.chain), detail, err, "send the chain's own coin to "+p.address)
}

func (d doctor) checkVaultSecret(cfg *Config) {
	if cfg.VaultSecret == (VaultSecretConfig{}) {
		return
	}
	for _, v := range append([]VaultSecretConfig{cfg.VaultSecret}, cfg.EarlierVaultSecrets...) {
		secret, err := v.open()
		d.report("vault secret", fmt.Sprint(secret), err, "correct vault_secret or earlier_vault_secrets, or bring the file back from its copy")
	}
}

// checkEpochs looks whether every wallet that holds money, or waits for it, can be paid out.
func (d doctor) checkEpochs(ctx context.Context, cfg *Config, pool *pgxpool.Pool) {
	missing, err := cfg.missingSecrets(ctx, pool)
	for _, chain := range slices.Sorted(maps.Keys(missing)) {
		err = errors.Join(err, fmt.Errorf("chain %s: %s", chain, strings.Join(missing[chain], "; ")))
	}
	if err == nil && cfg.VaultSecret == (VaultSecretConfig{}) {
		return
	}
	d.report("wallets of orders", "each has its secret", err, "bring the epoch's secret back as one of earlier_vault_secrets, or the chain's custody")
}

func (d doctor) checkSigner(ctx context.Context, cfg *Config, i int) error {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	guard, err := cfg.openSigner(ctx, i, nil) // a probe pays nobody, so no books are asked
	if err != nil {
		return err
	}
	for _, at := range cfg.Signers[i].Chains {
		chain, _ := cfg.chainNamed(at.Chain)
		if err := escrowevm.Probe(ctx, guard, new(big.Int).SetUint64(chain.evmID())); err != nil {
			return fmt.Errorf("on %s: %w", at.Chain, err)
		}
	}
	return nil
}

func (d doctor) checkDatabase(ctx context.Context, cfg *Config) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	pool, err := openPool(ctx, string(cfg.Database.URL), 2)
	version := ""
	if err == nil {
		defer pool.Close()
		version, err = serverVersion(ctx, pool)
	}
	d.report("database", version, err, "start Postgres, or correct database.url")

	sessions := checkSessions(ctx, cfg.directURL())
	d.report("database sessions", "each connection has its own backend", sessions, "set database.direct_url to Postgres itself")
	if err != nil {
		return
	}
	current := migrations.Check(ctx, pool)
	d.report("schema", "current", current, "run `settler migrate up`")
	if current == nil {
		d.checkEpochs(ctx, cfg, pool)
	}
}

func serverVersion(ctx context.Context, pool *pgxpool.Pool) (string, error) {
	var version string
	if err := pool.QueryRow(ctx, "select current_setting('server_version')").Scan(&version); err != nil {
		return "", fmt.Errorf("ask for the server's version: %w", err)
	}
	return "PostgreSQL " + version, nil
}

func (d doctor) checkChains(ctx context.Context, cfg *Config) {
	for _, c := range cfg.Chains {
		chain, err := buildChain(c)
		if err != nil {
			d.report("chain "+c.ID, "", err, "correct the chain's entry")
			continue
		}
		if c.Escrow.Signer != "" {
			d.checkEscrow(ctx, cfg, c)
		}
		if len(c.Custody.Tokens) > 0 {
			d.checkCustody(ctx, cfg, c)
		}
		if c.isSolana() && c.Refunds.KeyFile != "" {
			d.checkRefunds(ctx, c)
		}
		for _, check := range chain.check(ctx) {
			name := fmt.Sprintf("chain %s endpoint %s", c.ID, check.name)
			age := time.Since(check.headTime).Round(time.Second)
			err, do := check.err, "see whether the endpoint is up, or replace it"
			switch {
			case err != nil && misconfigured(err):
				do = "correct the chain's endpoint, tokens or finality"
			case err == nil && age > headPatience:
				err = fmt.Errorf("its latest block %d is %s old", check.latest, age)
				do = "wait until the endpoint has caught up, or replace it"
			case err == nil && age < -clockPatience:
				err = fmt.Errorf("its latest block %d lies %s ahead of our clock", check.latest, -age)
				do = "set this machine's clock"
			}
			d.report(name, fmt.Sprintf("right chain, block %d, %s old, %d token(s) as configured", check.latest, max(age, 0), len(chain.Tokens)), err, do)
		}
	}
}

// checkEscrow looks whether vaults of the chain are where we say.
func (d doctor) checkEscrow(ctx context.Context, cfg *Config, c ChainConfig) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	mover, err := cfg.newMover(ctx, c, nil)
	if err == nil {
		defer mover.Close()
		err = mover.Check(ctx)
	}
	d.report("chain "+c.ID+" escrow", "the vaults' factory is there and puts vaults where we do", err, "deploy the factory there, or take escrow out of the chain's entry")
}

// checkCustody looks whether money can be held on the cluster, and what the wallet has that pays the fees of releases.
func (d doctor) checkCustody(ctx context.Context, cfg *Config, c ChainConfig) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	var escrow *jobs.Escrow
	secrets, err := cfg.vaultSecrets()
	if err == nil {
		escrow, err = newCustody(ctx, c, secrets, nil)
	}
	d.report("chain "+c.ID+" custody", "the mints can be held", err, "take the token out of the chain's custody, or allow its extension")
	if err == nil {
		p, err := custodyPurse(c, escrow.Mover.(*escrowsolana.Mover), settlement.ChainID(c.ID)) //nolint:forcetypeassert // as newCustody made it
		d.checkPurse(ctx, p, err)
	}
}

// checkRefunds looks whether direct payments on the cluster can be given back, and what the wallet has for fees.
func (d doctor) checkRefunds(ctx context.Context, c ChainConfig) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	refunds, err := newSolanaRefunds(ctx, c, nil)
	d.report("chain "+c.ID+" refunds", "the wallet's nonce account is there", err, "correct the chain's refunds, or run `settler refund-wallet setup`")
	if err == nil {
		p, err := refundPurse(c, refunds.Mover.(*escrowsolana.Refunder), settlement.ChainID(c.ID)) //nolint:forcetypeassert // as newSolanaRefunds made it
		d.checkPurse(ctx, p, err)
	}
}

func (d doctor) checkOrchestrators(ctx context.Context, cfg *Config) {
	for _, m := range cfg.Marketplaces {
		date := &dateRecorder{}
		client, err := orchestration.New(orchestration.Config{BaseURL: m.Orchestrator.URL, HTTPClient: &http.Client{Transport: date}})
		if err == nil {
			err = probe(ctx, client)
		}
		d.report("orchestrator of "+m.ID, "healthy", err, "see whether it is up, or correct the marketplace's orchestrator.url")
		if date.answered.IsZero() {
			continue
		}
		offset, err := date.offset()
		if err == nil && offset.Abs() > clockPatience {
			err = fmt.Errorf("our clock differs from the orchestrator's by %s", offset)
		}
		d.report("clock against "+m.ID, fmt.Sprintf("differs by %s", offset), err, "synchronise this machine's clock (NTP)")
	}
}

func probe(ctx context.Context, client *orchestration.Client) error {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	return client.CheckHealth(ctx)
}

// dateRecorder notes what the last answer's Date header said, and when it was asked and answered by our clock.
type dateRecorder struct {
	asked, answered time.Time
	date            string
}

// RoundTrip sends the request with the default transport.
func (r *dateRecorder) RoundTrip(req *http.Request) (*http.Response, error) {
	asked := time.Now()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		r.asked, r.answered, r.date = asked, time.Now(), resp.Header.Get("Date")
	}
	return resp, err
}

// offset is how far our clock is ahead of the server's, rounded to its header's precision. The header cuts off the
// fraction of its second, so on average half a second is missing from it.
func (r *dateRecorder) offset() (time.Duration, error) {
	date, err := http.ParseTime(r.date)
	if err != nil {
		return 0, errors.New("the orchestrator's answer has no readable Date header")
	}
	middle := r.asked.Add(r.answered.Sub(r.asked) / 2)
	return middle.Sub(date.Add(500 * time.Millisecond)).Round(time.Second), nil
}
