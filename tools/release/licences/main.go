// Command licences refuses a CycloneDX bill of materials in which a module's
// licence was not found or is none that Mooring may be given away with.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// accepted are the SPDX ids of licences that ask for a notice at most. The tool
// takes the three clauses of golang.org/x for BSD-Source-Code, which is one too.
var accepted = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD-Source-Code", "ISC", "MIT", "Unlicense"}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1) //nolint:forbidigo // this is a command
	}
}

func run(files []string) error {
	if len(files) == 0 {
		return errors.New("name a bill of materials")
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		err = check(f)
		_ = f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

type bom struct {
	Components []struct {
		Name, Version string
		Licenses      []choice
		Evidence      struct{ Licenses []choice }
	}
}

type choice struct {
	License    struct{ ID, Name string }
	Expression string
}

// check names every module whose licence is unknown, or has one that is not accepted.
func check(in io.Reader) error {
	var doc bom
	if err := json.NewDecoder(in).Decode(&doc); err != nil {
		return fmt.Errorf("this is no bill of materials: %w", err)
	}
	if len(doc.Components) == 0 {
		return errors.New("it lists nothing")
	}
	var bad []error
	for _, c := range doc.Components {
		if c.Name == "std" { // Go's own library, BSD-3-Clause, whose licence is not beside it
			continue
		}
		var found []string
		for _, l := range slices.Concat(c.Licenses, c.Evidence.Licenses) {
			found = append(found, l.License.ID+l.License.Name+l.Expression)
		}
		refused := slices.ContainsFunc(found, func(id string) bool { return !slices.Contains(accepted, id) })
		if len(found) == 0 || refused {
			bad = append(bad, fmt.Errorf("%s %s has the licences %q", c.Name, c.Version, found))
		}
	}
	return errors.Join(bad...)
}
