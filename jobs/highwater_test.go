package jobs

import (
	"path/filepath"
	"testing"

	"github.com/settler-pay/settler/settlement"
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
