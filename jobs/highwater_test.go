package jobs

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// What could not be written is not taken for written the next time.
func TestHighWaterThatIsNotWritten(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "absent")
	h, err := OpenHighWater(filepath.Join(folder, "mark"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := h.Raise("eip155:1", settlement.Address("signer"), 1); err == nil {
			t.Fatal("raised, although there is no folder for the file")
		}
	}
}

// A service and a rehearsal beside it have the same file: neither forgets what the other has sent, nor lowers it.
func TestHighWaterOfTwoProcesses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mark")
	var both [2]*HighWater
	for i := range both {
		var err error
		if both[i], err = OpenHighWater(path); err != nil {
			t.Fatal(err)
		}
	}
	var group sync.WaitGroup
	for i, h := range both {
		group.Go(func() {
			for n := range uint64(20) {
				if err := errors.Join(h.Raise("eip155:1", "shared", n+1), h.Raise("eip155:1", settlement.Address(fmt.Sprint(i)), n+1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	for _, signer := range []settlement.Address{"shared", "0", "1"} {
		for _, h := range both {
			if why, err := h.older(store.Origin{}, store.Signer{Chain: "eip155:1", Address: signer, NextNonce: 19}); err != nil || !strings.Contains(why, "nonce 19 was sent") {
				t.Errorf("%s: %q (%v)", signer, why, err)
			}
		}
	}
}
