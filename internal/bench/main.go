// Command bench measures what settler promises about its speed, each promise against what it is compared with: both sides
// in one process on the same durable PostgreSQL, one after the other in each of five rounds, so that a slow moment of the
// machine meets both.
//
// Each benchmark prints one line to standard output, its columns separated by spaces: name, median, lowest and highest of
// the rounds, limit, ok or short. What each round measured goes to standard error. The exit status is 1 when one is short.
//
// Read next: webhooks.go, settle.go, watching.go, finding.go, vaults.go, solanawatch.go, client.go, pages.go.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"

	"github.com/settler-pay/settler/internal/devnet"
)

// rounds is how often both sides are measured.
const rounds = 5

// benchmark is one promise.
type benchmark struct {
	name  string
	limit limit
	// measure returns one figure for each round.
	measure func(context.Context, *ground) ([]float64, error)
}

var benchmarks = []benchmark{
	{"webhooks", limit{atLeast, 1.5, ""}, measureWebhooks},
	{"settle", limit{atLeast, 3, ""}, measureSettle},
	{"rpc-calls", limit{equal, 1, ""}, measureCalls},
	{"calls-paid", limit{atMost, 0.02, ""}, measureSettledCalls},
	{"block-cpu", limit{atMost, 1.25, ""}, measureBlockCPU},
	{"find-time", limit{atMost, 0.1, ""}, measureFinding},
	{"memory", limit{atMost, 64, "MB"}, measureMemory},
	{"client-time", limit{atMost, 1.3, ""}, measureClientTime},
	{"client-allocs", limit{atMost, 1.5, ""}, measureClientAllocs},
	{"receipt", limit{atMost, 0.5, ""}, measureReceipt},
	{"scan-allocs", limit{equal, 0, ""}, measureScanAllocs},
	{"solana-answer", limit{atMost, 3, ""}, measureSolanaAnswer},
	{"solana-calls", limit{equal, 1, ""}, measureSolanaCalls},
	{"solana-vaults", limit{atMost, 2, "/s"}, measureSolanaVaults},
	{"solana-status", limit{atMost, 40, ""}, measureSolanaStatus},
	{"solana-memory", limit{atMost, 64, "MB"}, measureSolanaMemory},
	{"batch-release", limit{atLeast, 2, ""}, measureBatchRelease},
	{"release-gas", limit{atMost, 210_000, ""}, measureReleaseGas},
	{"vault-calls", limit{equal, 1, ""}, measureVaultCalls},
	{"sandbox-reads", limit{atLeast, 5000, "/s"}, measureSandboxReads},
	{"sandbox-writes", limit{atLeast, 1000, "/s"}, measureSandboxWrites},
	{"pages", limit{atMost, 500, "ms"}, measurePages},
}

// apart are those that run only when they are named, since they take minutes.
var apart = []string{"pages"}

func main() {
	devnet.MaybePostgresChild()
	name := flag.String("run", "", "run this benchmark alone: "+strings.Join(names(), ", "))
	profile := flag.String("cpuprofile", "", "write a CPU profile of both sides to this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	short, err := run(ctx, *name, *profile)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(2)
	}
	if short {
		os.Exit(1)
	}
}

func names() []string {
	out := make([]string, len(benchmarks))
	for i, b := range benchmarks {
		out[i] = b.name
	}
	return out
}

// run reports whether a benchmark was short of its limit.
func run(ctx context.Context, name, profile string) (short bool, err error) {
	if name != "" && !slices.Contains(names(), name) {
		return false, fmt.Errorf("no benchmark %q: there are %s", name, strings.Join(names(), ", "))
	}
	dir, err := devnet.DefaultDir()
	if err != nil {
		return false, err
	}
	server, err := devnet.StartPostgres(ctx, devnet.PostgresConfig{
		Dir: filepath.Join(dir, "bench"), Durable: true, Progress: note,
	})
	if err != nil {
		return false, err
	}
	defer server.Stop() //nolint:errcheck // the figures are printed; the child stops it in any case
	if profile != "" {
		file, err := os.Create(profile)
		if err != nil {
			return false, fmt.Errorf("write a profile: %w", err)
		}
		defer func() { _ = file.Close() }() // a profile that is cut short shows it
		if err := pprof.StartCPUProfile(file); err != nil {
			return false, fmt.Errorf("write a profile: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	for _, b := range benchmarks {
		if name != b.name && (name != "" || slices.Contains(apart, b.name)) {
			continue
		}
		g := &ground{server: server}
		figures, err := b.measure(ctx, g)
		g.clear(ctx)
		if err != nil {
			return false, fmt.Errorf("%s: %w", b.name, err)
		}
		line, ok := b.limit.judge(b.name, figures)
		fmt.Println(line)
		short = short || !ok
	}
	return short, nil
}

// note tells a person what happens; the figures alone go to standard output.
func note(line string) { fmt.Fprintln(os.Stderr, line) }
