package devnet

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	sdk "github.com/gagliardetto/solana-go"
)

// ErrNoSolana means that there is no solana-test-validator to run.
var ErrNoSolana = errors.New("solana-test-validator is not there: SOLANA_TEST_VALIDATOR may name it, else it is searched in the PATH; " +
	"it comes with the Solana tools, https://docs.anza.xyz/cli/install")

// SolanaValidator is the path of solana-test-validator: SOLANA_TEST_VALIDATOR, else from the PATH, else ErrNoSolana.
func SolanaValidator() (string, error) {
	if path := os.Getenv("SOLANA_TEST_VALIDATOR"); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("SOLANA_TEST_VALIDATOR: %w", err)
		}
		return path, nil
	}
	path, err := exec.LookPath("solana-test-validator")
	if err != nil {
		return "", ErrNoSolana
	}
	return path, nil
}

// SolanaConfig describes a development cluster.
type SolanaConfig struct {
	// Args are further arguments for solana-test-validator.
	Args []string
	// Progress is told what happens, for people. It may be nil.
	Progress func(line string)
}

// Solana is a cluster of one real node, which starts with an empty ledger and leaves nothing behind. A slot takes about
// 50 ms, an eighth of the usual time, and so does the way to finality.
type Solana struct {
	url     string
	socket  string
	genesis string
	purse   sdk.PrivateKey
	dir     string
	process *os.Process
	ended   chan struct{} // closed when the process has ended
	failure error         // how it ended, once ended is closed
}

// ticksPerSlot makes slots eight times as fast as the usual 64.
const ticksPerSlot = "8"

const (
	solanaStartTime = 3 * time.Minute
	solanaStopTime  = 5 * time.Second
	// solanaPorts in a row: JSON-RPC, its WebSocket, faucet, gossip, and those that the node deals out to itself.
	solanaPorts = 44
)

// StartSolana starts a node and returns once it has a finalised slot. The node ends with Stop, and on Linux with this
// process, however that ends.
func StartSolana(ctx context.Context, cfg SolanaConfig) (*Solana, error) {
	program, err := SolanaValidator()
	if err != nil {
		return nil, err
	}
	_, purse, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	dir, err := os.MkdirTemp("", "settler-solana-")
	if err != nil {
		return nil, fmt.Errorf("make the ledger's directory: %w", err)
	}
	s := &Solana{purse: sdk.PrivateKey(purse), dir: dir, ended: make(chan struct{})}
	if err := s.start(ctx, program, cfg); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Solana) start(ctx context.Context, program string, cfg SolanaConfig) error {
	base, err := freePorts(solanaPorts)
	if err != nil {
		return err
	}
	port := func(i int) string { return strconv.Itoa(base + i) }
	log, err := os.Create(filepath.Join(s.dir, "node.log"))
	if err != nil {
		return fmt.Errorf("make the node's log: %w", err)
	}
	defer log.Close() //nolint:errcheck // the node has its own copy
	//nolint:noctx // the node outlives the start; Stop ends it
	command := exec.Command(program, append([]string{
		"--quiet", "--reset", "--ledger", filepath.Join(s.dir, "ledger"), "--ticks-per-slot", ticksPerSlot, "--limit-ledger-size", "50000000",
		"--mint", s.purse.PublicKey().String(), "--bind-address", "127.0.0.1", "--rpc-port", port(0), "--faucet-port", port(2),
		"--gossip-port", port(3), "--dynamic-port-range", port(4) + "-" + port(solanaPorts-1),
	}, cfg.Args...)...)
	command.Dir, command.Stdout, command.Stderr = s.dir, log, log
	command.SysProcAttr = &syscall.SysProcAttr{}
	signalOnDeath(command.SysProcAttr, syscall.SIGKILL)
	started := make(chan error, 1)
	go func() {
		// The signal is sent when the thread that started the process ends, so that thread waits for it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err == nil {
			s.failure = command.Wait()
			close(s.ended)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start solana-test-validator: %w", err)
	}
	s.process, s.url, s.socket = command.Process, "http://127.0.0.1:"+port(0), "ws://127.0.0.1:"+port(1)
	if cfg.Progress != nil {
		cfg.Progress("solana-test-validator starts on " + s.url)
	}
	return s.await(ctx)
}

// await returns once the node has a finalised slot.
func (s *Solana) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, solanaStartTime)
	defer cancel()
	for {
		var slot uint64
		err := s.Call(ctx, &slot, "getSlot", map[string]string{"commitment": "finalized"})
		if err == nil && slot > 0 {
			return s.Call(ctx, &s.genesis, "getGenesisHash")
		}
		select {
		case <-s.ended:
			return fmt.Errorf("solana-test-validator ended: %w: %s", s.failure, s.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("solana-test-validator has no finalised slot: %w: %s", errors.Join(ctx.Err(), err), s.lastWords())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (s *Solana) lastWords() string {
	raw, err := os.ReadFile(filepath.Join(s.dir, "node.log"))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(raw[max(0, len(raw)-2000):]))
}

// URL is the JSON-RPC endpoint.
func (s *Solana) URL() string { return s.url }

// WebSocket is where the node announces what it is asked to.
func (s *Solana) WebSocket() string { return s.socket }

// Genesis is the genesis hash in base58; it tells the cluster from every other.
func (s *Solana) Genesis() string { return s.genesis }

// Purse is the key of an account with 500 million SOL.
func (s *Solana) Purse() sdk.PrivateKey { return s.purse }

// Call asks the node and decodes its answer into result.
func (s *Solana) Call(ctx context.Context, result any, method string, params ...any) error {
	if params == nil {
		params = []any{}
	}
	question, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(question))
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	defer response.Body.Close()
	var answer struct {
		Result json.RawMessage
		Error  *struct {
			Code    int
			Message string
			Data    json.RawMessage
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if e := answer.Error; e != nil {
		return fmt.Errorf("%s: code %d: %s %s", method, e.Code, e.Message, e.Data)
	}
	if err := json.Unmarshal(answer.Result, result); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// Stop ends the node and removes its ledger. It may be called again.
func (s *Solana) Stop() error {
	if s.process != nil {
		_ = s.process.Signal(os.Interrupt) // one that has ended already is what is wanted
		select {
		case <-s.ended:
		case <-time.After(solanaStopTime):
			_ = s.process.Kill()
			<-s.ended
		}
		s.process = nil
	}
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("remove the ledger: %w", err)
	}
	return nil
}

// freePorts finds so many ports in a row that are free for TCP at the moment, and returns the first. They are below those
// that systems hand out to outgoing connections, which would be in the way a moment later.
func freePorts(count int) (int, error) {
	const attempts, lowest, handedOut = 50, 10_000, 32_768
	for range attempts {
		base := lowest + rand.IntN(handedOut-lowest-count)
		free := true
		for port := base; free && port < base+count; port++ {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))) //nolint:noctx // returns at once
			if free = err == nil; free {
				_ = l.Close() // nothing was accepted
			}
		}
		if free {
			return base, nil
		}
	}
	return 0, fmt.Errorf("find %d free ports in a row: none after %d attempts", count, attempts)
}
