// Command states writes docs/states.md: every state of a payment, who acts next in it, and what each event makes of it.
// Words come from the comments of package settlement, transitions from what settlement.Next does with every payment that
// can come to be. It is run by `go generate` in the directory of package settlement.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: states FILE")
		os.Exit(64)
	}
	if err := write(".", os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "states: %v\n", err)
		os.Exit(1)
	}
}

// write renders what the package in the directory says into the file.
func write(source, file string) error {
	text, err := render(source)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}
