package settlement_test

import (
	"testing"

	"github.com/settler-pay/settler/settlement"
)

func TestProgress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rule          settlement.Finality
		latest, block uint64
		text          string
		n, m          uint64
	}{
		{"depth 12", 100, 100, "confirming 0 of 12", 0, 12},
		{"depth 12", 103, 100, "confirming 3 of 12", 3, 12},
		{"depth 12", 112, 100, "confirming 12 of 12", 12, 12},
		{"depth 12", 500, 100, "confirming 12 of 12", 12, 12},
		{"depth 12", 99, 100, "confirming 0 of 12", 0, 12}, // named, and not scanned yet
		{"finalized", 200, 100, "waiting for finalized", 0, 0},
		{"safe", 200, 100, "waiting for safe", 0, 0},
	} {
		if text, n, m := tt.rule.Progress(tt.latest, tt.block); text != tt.text || n != tt.n || m != tt.m {
			t.Errorf("%s, block %d of %d: %q, %d, %d", tt.rule, tt.block, tt.latest, text, n, m)
		}
	}
}
