// Command vendorcheck drives `settler sandbox` with the vendor's own Python SDK, on a real EVM chain: whole order lives on
// each rail that has a flow, and the errors. check.py, which runs in the SDK's virtual environment, holds the checks; here
// is what they stand on. In the middle the sandbox is killed and started again on its data.
//
// It prints a line for each check and "N passed, N failed"; the exit status is 1 when one failed.
package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/internal/devnet"
)

//go:embed check.py
var script []byte

// chainID of the check's chain; no public chain has it.
const chainID = 777_000_111

func main() {
	settler := flag.String("settler", "bin/settler", "the program to check")
	python := flag.String("python", "bin/vendor/bin/python", "an interpreter that has the SDK")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *settler, *python)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "vendorcheck: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, settler, python string) (err error) {
	dir, err := os.MkdirTemp("", "vendorcheck-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	payer, err := crypto.GenerateKey()
	if err != nil {
		return err
	}
	wallet := crypto.PubkeyToAddress(payer.PublicKey)
	chain, err := devnet.StartChain(devnet.ChainConfig{ChainID: chainID, BlockTime: 200 * time.Millisecond, Accounts: []common.Address{wallet}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, chain.Close()) }()
	token, err := devnet.DeployTestToken(ctx, chain, payer, wallet)
	if err != nil {
		return err
	}
	seed, err := seedFor(ctx, settler, chain.URL(), token)
	if err != nil {
		return err
	}
	files := map[string][]byte{"seed.json": seed, "check.py": script}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	for _, phase := range []string{"life", "restarted"} {
		market, err := startSandbox(ctx, settler, dir)
		if err != nil {
			return err
		}
		check := exec.CommandContext(ctx, python, filepath.Join(dir, "check.py"), phase)
		check.Stdout, check.Stderr = os.Stdout, os.Stderr
		check.Env = append(os.Environ(), "DO_NOT_TRACK=1", "PEAQOS_TELEMETRY=0", "CHECK_DIR="+dir, "CHECK_URL="+market.url, "CHECK_RPC="+chain.URL(),
			"CHECK_TOKEN="+token.Hex(), fmt.Sprintf("CHECK_CHAIN=eip155:%d", chainID), "CHECK_PAYER=0x"+hex.EncodeToString(crypto.FromECDSA(payer)))
		err = check.Run()
		market.kill()
		if err != nil {
			return fmt.Errorf("phase %s: %w", phase, err)
		}
	}
	return nil
}

// seedFor is the sandbox's own seed with the services that are paid on an EVM chain moved to ours.
func seedFor(ctx context.Context, settler, rpc string, token common.Address) ([]byte, error) {
	text, err := exec.CommandContext(ctx, settler, "sandbox", "--print-seed").Output()
	if err != nil {
		return nil, fmt.Errorf("print the sandbox's seed: %w", err)
	}
	var seed map[string]any
	if err := json.Unmarshal(text, &seed); err != nil {
		return nil, fmt.Errorf("read the sandbox's seed: %w", err)
	}
	id := fmt.Sprintf("eip155:%d", chainID)
	seed["rpc"] = map[string]string{id: rpc}
	services, _ := seed["services"].([]any)
	for _, each := range services {
		service, _ := each.(map[string]any)
		if advice, _ := service["payment"].(map[string]any); advice["chain"] == "base" {
			advice["chain"], advice["token"], advice["tokenAddress"] = id, "TUSD", token.Hex()
		}
	}
	listings, _ := seed["listings"].([]any)
	for _, each := range listings {
		if offer, _ := each.(map[string]any); offer != nil {
			offer["chain"], offer["token"], offer["tokenAddress"] = id, "TUSD", token.Hex()
		}
	}
	return json.Marshal(seed)
}

// sandbox is a running `settler sandbox`.
type sandbox struct {
	url     string
	command *exec.Cmd
}

func startSandbox(ctx context.Context, settler, dir string) (*sandbox, error) {
	command := exec.CommandContext(ctx, settler, "sandbox", "--addr", "127.0.0.1:0", "--api-key", "check-key",
		"--seed", filepath.Join(dir, "seed.json"), "--data", filepath.Join(dir, "data"))
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start the sandbox: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the sandbox did not say where it is: %w", err), command.Wait())
	}
	return &sandbox{url: strings.TrimSpace(line), command: command}, nil
}

// kill ends it without warning, as a crash does.
func (s *sandbox) kill() {
	_ = s.command.Process.Kill()
	_ = s.command.Wait() // reports the kill
}
