package evm

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// rowsOfCatalogue are the numbers of all cases but Solana's, which a test of verify/solana reads.
func rowsOfCatalogue() []string {
	var rows []string
	for _, span := range []struct {
		letter      string
		first, last int
	}{{"E", 1, 14}, {"E", 20, 34}, {"E", 40, 48}, {"E", 50, 60}, {"E", 70, 76}, {"R", 1, 11}, {"C", 1, 18}, {"W", 1, 14}} {
		for n := span.first; n <= span.last; n++ {
			rows = append(rows, fmt.Sprintf("%s-%02d", span.letter, n))
		}
	}
	return rows
}

// Every row of the catalogue is in docs/verification.md, and every test that is named there exists.
func TestCatalogueIsComplete(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/verification.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| ([ECRW]-[0-9]{2}) \| .+ \| .+ \| (.+) \|$`)
	reference := regexp.MustCompile("^`([a-z/]+)` `(Test[A-Za-z0-9]+)(?:/([ECR]-[0-9]{2}))?`$")
	sources := make(map[string]string) // package → all its tests
	seen := make(map[string]bool)
	for _, match := range row.FindAllStringSubmatch(string(text), -1) {
		if seen[match[1]] {
			t.Errorf("row %s comes twice", match[1])
		}
		seen[match[1]] = true
		for _, test := range strings.Split(match[2], ", ") {
			named := reference.FindStringSubmatch(test)
			if named == nil {
				t.Errorf("row %s: %q is not a package and a test, as in `verify/evm` `TestCatalogue/E-01`", match[1], test)
				continue
			}
			folder, function, group := named[1], named[2], named[3]
			if _, read := sources[folder]; !read {
				sources[folder] = testsOf(t, folder)
			}
			if !strings.Contains(sources[folder], "\nfunc "+function+"(t *testing.T) {") {
				t.Errorf("row %s: there is no test %s in %s", match[1], function, folder)
			}
			if group != "" && !strings.Contains(sources[folder], `"`+group+" ") {
				t.Errorf("row %s: %s has no subtest that begins with %s", match[1], function, group)
			}
		}
	}
	for _, number := range rowsOfCatalogue() {
		if !seen[number] {
			t.Errorf("docs/verification.md has no row %s with a test", number)
		}
	}
}

func testsOf(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
