// Arginfo writes X_arginfo.h of X.stub.php: what PHP must be told about the functions, constants and exceptions of the extension.
//
// PHP has gen_stub.php for this. But each version of PHP writes something else with it, and each wants another PHP-Parser beside it. The
// committed file must be the same wherever it is made. So this program makes it, for the few things that our stubs contain. Anything
// else in a stub is an error that names its line.
//
// usage: arginfo X.stub.php >X_arginfo.h
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: arginfo X.stub.php >X_arginfo.h")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "arginfo: %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func run(path string, out io.Writer) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	s, err := parse(string(text))
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, write(s, filepath.Base(path)))

	return err
}
