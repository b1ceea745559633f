package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/verify/solana"
)

// One node serves all tests of a run that do not start one of their own.
var (
	nodeOnce sync.Once
	theNode  *devnet.Solana
	nodeErr  error
)

func TestMain(m *testing.M) {
	code := m.Run()
	if theNode != nil {
		if err := theNode.Stop(); err != nil {
			println(err.Error())
			code = 1
		}
	}
	if programDir != "" {
		_ = os.RemoveAll(programDir) // in the temporary directory anyway
	}
	os.Exit(code)
}

// solanaNode is the node. It skips the test where none can be had.
func solanaNode(t *testing.T) *devnet.Solana {
	t.Helper()
	nodeOnce.Do(func() { theNode, nodeErr = devnet.StartSolana(context.Background(), devnet.SolanaConfig{}) })
	if errors.Is(nodeErr, devnet.ErrNoSolana) && os.Getenv("SETTLER_REQUIRE_FIXTURES") != "1" {
		t.Skip(nodeErr)
	}
	if nodeErr != nil {
		t.Fatal(nodeErr)
	}
	return theNode
}

// `settler chains` and `settler doctor` look at a cluster as they do at an EVM chain, and a mint that is not what the
// configuration says is found.
func TestChainsOnSolana(t *testing.T) {
	t.Parallel()
	node := solanaNode(t)
	token, err := node.DeployToken(t.Context(), sdk.Token2022ProgramID, 1)
	if err != nil {
		t.Fatal(err)
	}
	id := string(solana.ChainOf(node.Genesis()))
	config := func(id, program string) string {
		return writeConfig(t, goodConfig[:strings.Index(goodConfig, "chains:")]+fmt.Sprintf(`chains:
  - id: %s
    aliases: [dev]
    endpoints: [{name: first, url: "%s", operator: one}, {name: second, url: "%s/", operator: two}]
    trust: quorum:2
    tiers: [{token: SOL, up_to: 0.5, trust: single, finality: {tag: confirmed}}]
    tokens:
      - {symbol: TUSD, address: %s, decimals: 6, program: %s}
      - {symbol: SOL, native: true, decimals: 9}
`, id, node.URL(), node.URL(), token.Mint, program))
	}
	code, out, errOut := runSettler(t, "chains", "-c", config(id, "token-2022"))
	for _, part := range []string{
		id + " dev", "trust quorum:2, finality finalized", "tokens TUSD, SOL", "up to 0.5 SOL: confirmed, single", "healthy, of one", "healthy, of two",
	} {
		if code != 0 || !strings.Contains(out, part) {
			t.Errorf("exit code %d, lacks %q: %s%s", code, part, out, errOut)
		}
	}
	for name, path := range map[string]string{"is owned by": config(id, "token"), "it serves cluster": config("solana:devnet", "token-2022")} {
		if _, out, _ := runSettler(t, "doctor", "-c", path); !strings.Contains(out, "FAIL  chain solana:") || !strings.Contains(out, name) {
			t.Errorf("doctor lacks %q: %s", name, out)
		}
	}
}

// The wallet that pays for releases has less than its reserve: `settler doctor` says so, and an alarm is raised until it has more.
func TestGasOfReleases(t *testing.T) {
	t.Parallel()
	node := solanaNode(t)
	world, err := newDevSolana(t.Context(), node)
	if err != nil {
		t.Fatal(err)
	}
	file, err := world.makeSecret(t.Context(), t.TempDir()) // gives it 1 SOL
	if err != nil {
		t.Fatal(err)
	}
	path := writeConfig(t, goodConfig[:strings.Index(goodConfig, "chains:")]+fmt.Sprintf(`vault_secret: {file: %q, password_file: %q, epoch: 1}
chains:
  - id: %s
    endpoints: [{name: first, url: "%s"}]
    tokens: [{symbol: TSOL, address: %s, decimals: 6}]
    custody: {tokens: [{token: TSOL, per_payment: "1", per_hour: "1"}], payments_per_hour: 1, gas_reserve: "1.25"}
`, file.File, file.PasswordFile, world.chain(), node.URL(), world.token.Mint))
	cfg, err := loadConfig(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	chains, err := newChains(t.Context(), cfg, logger)
	if err != nil {
		t.Fatal(err)
	}
	closeEscrow, err := addEscrow(t.Context(), cfg, chains, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer closeEscrow()
	conditions, err := newConditions(cfg, chains, pgtest.New(t), logger)
	if err != nil {
		t.Fatal(err)
	}
	payer := solana.FormatAddress(chains[0].Escrow.Mover.Signer())
	// look waits for what it wants: the node's final slot lags behind.
	look := func(doctor, detail string) {
		t.Helper()
		for deadline := time.Now().Add(8 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
			_, out, _ := runSettler(t, "doctor", "-c", path)
			conditions.look(t.Context())
			var raised []string
			for _, a := range statusOf(chains[0], conditions).alarms {
				raised = append(raised, a.kind+": "+a.detail)
			}
			if strings.Contains(out, doctor) && strings.Join(raised, "\n") == detail {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("alarms %q, doctor %s\nwant %q and %q", raised, out, detail, doctor)
			}
		}
	}
	look("FAIL  gas of custody on "+world.chain()+": 1.000000000, below the reserve of 1.25. Do: send the chain's own coin to "+payer,
		"gas_low: custody ("+payer+") has 1.000000000, below the reserve of 1.25")
	if err := node.Fund(t.Context(), sdk.LAMPORTS_PER_SOL, sdk.MustPublicKeyFromBase58(payer)); err != nil {
		t.Fatal(err)
	}
	look("ok    gas of custody on "+world.chain()+": 2.000000000, above the reserve of 1.25", "")
}

// `settler dev --solana --once` plays its orders to their end and leaves nothing running.
func TestDevOnSolana(t *testing.T) {
	if _, err := devnet.SolanaValidator(); errors.Is(err, devnet.ErrNoSolana) {
		if os.Getenv("SETTLER_REQUIRE_FIXTURES") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	t.Setenv("DATABASE_URL", pgtest.New(t).Config().ConnString())
	code, out, errOut := runSettler(t, "dev", "--solana", "--once", "--listen", "127.0.0.1:0", "--timeout", "10m")
	if code != 0 || strings.Count(out, "the orchestrator lets the marketplace deliver") != 7 || !strings.Contains(out, "proof posted in recorded mode") ||
		!strings.Contains(out, "30.000000 TUSD more at the payee, 10.000000 at the payer, the vault is empty") {
		t.Errorf("exit code %d: %s%s", code, out, errOut)
	}
}

// Without a validator it says what is missing and where it comes from.
func TestDevWithoutSolana(t *testing.T) {
	t.Setenv("DATABASE_URL", pgtest.New(t).Config().ConnString())
	t.Setenv("SOLANA_TEST_VALIDATOR", "")
	t.Setenv("PATH", "")
	code, _, errOut := runSettler(t, "dev", "--solana", "--once", "--listen", "127.0.0.1:0")
	for _, part := range []string{"solana-test-validator is not there", "SOLANA_TEST_VALIDATOR", "https://"} {
		if code != 1 || !strings.Contains(errOut, part) {
			t.Errorf("exit code %d, lacks %q: %s", code, part, errOut)
		}
	}
}

// The wallet that direct payments are given back from: made, funded, set up once, and found right by the doctor.
func TestRefundWalletOnSolana(t *testing.T) {
	t.Parallel()
	node := solanaNode(t)
	world, err := newDevSolana(t.Context(), node)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	key, password := filepath.Join(dir, "refunds.age"), filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := runSettler(t, "refund-wallet", "create", key, "--password-file", password)
	_, address, ok := strings.Cut(strings.SplitN(out, "\n", 2)[0], ": wallet ")
	if code != 0 || !ok {
		t.Fatalf("exit code %d: %s%s", code, out, errOut)
	}
	if code, _, errOut := runSettler(t, "refund-wallet", "create", key, "--password-file", password); code != 1 || !strings.Contains(errOut, "file exists") {
		t.Errorf("a file that is there: exit code %d, %q", code, errOut)
	}
	pool := pgtest.New(t)
	head := strings.Replace(goodConfig[:strings.Index(goodConfig, "chains:")], "postgres://u:hunter2@127.0.0.1:1/db", pool.Config().ConnString(), 1)
	path := writeConfig(t, head+fmt.Sprintf(`chains:
  - id: %s
    endpoints: [{name: first, url: "%s"}]
    tokens: [{symbol: TSOL, address: %s, decimals: 6}]
    refunds: {key_file: %q, password_file: %q, tokens: [{token: TSOL, per_payment: "1", per_hour: "1"}], payments_per_hour: 1}
`, world.chain(), node.URL(), world.token.Mint, key, password))
	// says runs the command until it says the words: a node that other tests keep busy may not answer at once, and is final later.
	says := func(words string, args ...string) {
		t.Helper()
		for deadline := time.Now().Add(8 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
			_, out, errOut := runSettler(t, append(args, "-c", path)...)
			if strings.Contains(out+errOut, words) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s does not say %q: %s%s", args, words, out, errOut)
			}
		}
	}
	setup := []string{"refund-wallet", "setup", "--chain", world.chain()}
	says("sendTransaction", setup...) // it has no SOL
	says("run `settler refund-wallet setup`", "doctor")
	if err := node.Fund(t.Context(), sdk.LAMPORTS_PER_SOL, sdk.MustPublicKeyFromBase58(address)); err != nil {
		t.Fatal(err)
	}
	says("of wallet "+address+" was", setup...) // made, or there already where the answer to the first was lost
	says("of wallet "+address+" was there already\n", setup...)
	says("ok    chain "+world.chain()+" refunds: the wallet's nonce account is there", "doctor")
	// It was stopped, and a person has looked: it goes on from the value that its nonce has now.
	wallet := sdk.MustPublicKeyFromBase58(address)
	if _, err := pool.Exec(t.Context(), `insert into signers (chain, address, next_nonce, stopped, durable_nonce, updated_at) values ($1, $2, 3, 'used by another', sha256('old'), now())`,
		world.chain(), wallet[:]); err != nil {
		t.Fatal(err)
	}
	says(address+"  3           used by another", "signers", "list")
	says("signer "+address+" of "+world.chain()+" signs again, from nonce 3; it was stopped because used by another",
		"signers", "restart", "--chain", world.chain(), "--reason", "it was a try")
	var right bool
	if err := pool.QueryRow(t.Context(), "select stopped = '' and looked_below = 3 and durable_nonce <> sha256('old') from signers").Scan(&right); err != nil || !right {
		t.Errorf("afterwards it is not as it should be (%v)", err)
	}
}
