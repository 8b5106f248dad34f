package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	mentioned = regexp.MustCompile("`((?:[a-z0-9]+/)*[a-z0-9]+)`:|`((?:Test|Fuzz)[A-Za-z0-9]+)`")
	declared  = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9]+)\(`)
)

// TestSecurityPageNamesTestsThatExist has every test on the page be one of the
// package that the page names before it.
func TestSecurityPageNamesTestsThatExist(t *testing.T) {
	page, err := os.ReadFile("security.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]map[string]bool{}
	folder, found := "docs", 0
	for _, m := range mentioned.FindAllStringSubmatch(string(page), -1) {
		if m[1] != "" {
			folder = m[1]
			continue
		}
		if m[2] == t.Name() {
			continue
		}
		found++
		if tests[folder] == nil {
			tests[folder] = testsOf(t, folder)
		}
		if !tests[folder][m[2]] {
			t.Errorf("%s has no %s", folder, m[2])
		}
	}
	if found < 50 {
		t.Errorf("only %d tests are named", found)
	}
}

func testsOf(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(folder), "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no tests: %v", folder, err)
	}
	names := map[string]bool{}
	for _, f := range files {
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range declared.FindAllStringSubmatch(string(source), -1) {
			names[strings.TrimSpace(m[1])] = true
		}
	}
	return names
}
