package jobs

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/settler-pay/settler/settlement"
)

// However many vaults there were, one that waits for money is read within a few calls, and each of the others in its turn.
func TestVaultsThatWaitAreReadFirst(t *testing.T) {
	t.Parallel()
	now := time.Now()
	counts := [rings]int{ringYoung: 120, ringOld: 900, ringDone: 5000}
	watched := make(map[watchKey]watchedVault)
	ringOf := make(map[watchKey]int)
	for ring, count := range counts {
		for i := range count {
			key := watchKey{payee: settlement.Address(binary.BigEndian.AppendUint64(nil, uint64(ring<<32|i)))}
			watched[key] = watchedVault{awaited: ring != ringDone, since: now.Add(-time.Duration(2*ring) * youngFor)}
			ringOf[key] = ring
		}
	}
	var s vaultSweep
	last := make(map[watchKey]int) // vault → the call that read it last
	var longest [rings]int         // between two reads
	const calls = 600
	for call := 1; call <= calls; call++ {
		some := s.next(watched, now)
		if len(some) != readAtOnce {
			t.Fatalf("call %d reads %d vaults", call, len(some))
		}
		inCall := make(map[watchKey]bool)
		for _, key := range some {
			if inCall[key] {
				t.Fatalf("call %d reads a vault twice", call)
			}
			inCall[key] = true
			longest[ringOf[key]] = max(longest[ringOf[key]], call-last[key])
			last[key] = call
		}
	}
	for key, ring := range ringOf {
		longest[ring] = max(longest[ring], calls-last[key])
	}
	if want := [rings]int{ringYoung: 6, ringOld: 62, ringDone: 520}; longest[ringYoung] > want[ringYoung] || longest[ringOld] > want[ringOld] || longest[ringDone] > want[ringDone] {
		t.Errorf("a vault waits for %v calls at most, want %v", longest, want)
	}
	// A single one that waits is read in each call, and a few that do not fill a call too.
	few := make(map[watchKey]watchedVault)
	for key, v := range watched {
		if len(few) < 60 && ringOf[key] == ringDone {
			few[key] = v
		}
	}
	s = vaultSweep{}
	for range 3 {
		if some := s.next(few, now); len(some) != len(few) {
			t.Errorf("%d of %d vaults are read", len(some), len(few))
		}
	}
}
