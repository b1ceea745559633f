package devnet

import (
	"errors"
	"os"
	"testing"
)

// A node answers, and its end leaves neither a process nor a file.
func TestSolana(t *testing.T) {
	t.Parallel()
	if _, err := SolanaValidator(); errors.Is(err, ErrNoSolana) {
		if os.Getenv("SETTLER_REQUIRE_FIXTURES") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	s, err := StartSolana(t.Context(), SolanaConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var balance struct{ Value uint64 }
	if err := s.Call(t.Context(), &balance, "getBalance", s.Purse().PublicKey().String()); err != nil || balance.Value == 0 {
		t.Errorf("the purse holds %d: %v", balance.Value, err)
	}
	pid := s.process.Pid
	for range 2 {
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if processLives(pid) {
		t.Errorf("process %d is still there", pid)
	}
	if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory %s is still there: %v", s.dir, err)
	}
}
