package solana

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each Solana row of docs/verification.md names tests that exist, and no row is missing.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "verification.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	recorded := make(map[string]bool)
	for _, r := range ours(t) {
		recorded[strings.TrimSuffix(r.name, ".json")] = true
	}
	for name := range scenarios {
		if !recorded[name] {
			t.Errorf("scenario %s is not recorded", name)
		}
	}
	public := make(map[string]bool)
	if os.Getenv("SETTLER_FIXTURES") != "" {
		for _, r := range fixtures(t) {
			public[r.name] = true
		}
	}
	rows := make(map[string]bool)
	for _, row := range regexp.MustCompile(`(?m)^\| (S-\d\d) \|.*\| ([^|]+) \|$`).FindAllStringSubmatch(string(raw), -1) {
		rows[row[1]] = true
		for _, name := range strings.Split(row[2], ", ") {
			test, sub, _ := strings.Cut(name, "/")
			switch {
			case !strings.Contains(source.String(), "func "+test+"(t *testing.T)"):
				t.Errorf("%s: there is no test %s", row[1], test)
			case test == "TestScenarios" && !recorded[sub]:
				t.Errorf("%s: there is no scenario %s", row[1], sub)
			case test == "TestFixtures" && len(public) > 0 && !public[sub]:
				t.Errorf("%s: there is no fixture %s", row[1], sub)
			}
		}
	}
	for i := 1; i <= 50; i++ {
		if name := fmt.Sprintf("S-%02d", i); !rows[name] {
			t.Errorf("docs/verification.md has no row %s", name)
		}
	}
}
