// Command length-lint says which files are longer than 500 lines, and which functions of Go and C are longer than 60.
// Clippy says it of Rust's functions: too-many-lines-threshold in clippy.toml.
//
//	go run tools/length-lint.go    in the top folder
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	maxFile     = 500
	maxFunction = 60
)

var (
	written = regexp.MustCompile(`\.(rs|go|c|h|php|js|mjs|ts|sh)$`)
	// What is generated is as long as what it is made from.
	generated = regexp.MustCompile(`_arginfo\.h$|\.stub\.php$|^caddy-module/phpext/websocket\.[ch]$|/fws_build\.h$|^include/fws\.h$|^php/stubs/`)
)

// mayBeLong are the files that cannot be split, with the reason.
var mayBeLong = map[string]string{
	"caddy-module/phpext/websocket.go": "FrankenPHP's generator of extensions reads the declaration of all functions as one file",
}

func main() {
	listed, err := exec.Command("git", "ls-files", "-co", "--exclude-standard").Output()
	if err != nil {
		fail(fmt.Errorf("git ls-files: %w", err))
	}
	long := 0
	for _, name := range strings.Fields(string(listed)) {
		source, err := os.ReadFile(name)
		if os.IsNotExist(err) || !written.MatchString(name) || generated.MatchString(name) {
			continue // removed, and not yet committed; or none of ours
		}
		if err != nil {
			fail(err)
		}
		for _, complaint := range check(name, source) {
			fmt.Fprintln(os.Stderr, complaint)
			long++
		}
	}
	if long > 0 {
		os.Exit(1)
	}
}

func check(name string, source []byte) (complaints []string) {
	lines := bytes.Count(source, []byte{'\n'})
	if _, may := mayBeLong[name]; lines > maxFile && !may {
		complaints = append(complaints, fmt.Sprintf("%s has %d lines, at most %d are allowed: split it by what it is about, "+
			"into files whose names say what is in them", name, lines, maxFile))
	}
	for _, f := range functions(name, source) {
		if f.lines > maxFunction {
			complaints = append(complaints, fmt.Sprintf("%s:%d: %s has %d lines, at most %d are allowed: give its steps functions "+
				"of their own, or a table a variable; split a test that proves several things", name, f.line, f.name, f.lines, maxFunction))
		}
	}

	return complaints
}

type function struct {
	name        string
	line, lines int
}

func functions(name string, source []byte) []function {
	switch filepath.Ext(name) {
	case ".go":
		return functionsOfGo(name, source)
	case ".c", ".h":
		return functionsOfC(source)
	default:
		return nil
	}
}

func functionsOfGo(name string, source []byte) (found []function) {
	positions := token.NewFileSet()
	file, err := parser.ParseFile(positions, name, source, parser.SkipObjectResolution)
	if err != nil {
		fail(err)
	}
	for _, declaration := range file.Decls {
		if f, ok := declaration.(*ast.FuncDecl); ok {
			first, last := positions.Position(f.Pos()).Line, positions.Position(f.End()).Line
			found = append(found, function{f.Name.Name, first, last - first + 1})
		}
	}

	return found
}

// As clang-format writes it: a function begins at the left margin, and ends with the next brace there.
var functionOfC = regexp.MustCompile(`(?m)^(?:\w[^;={}()]*[ *])?(\w+)\([^;{}]*\) \{\n(?:[^}\n].*\n|\n)*\}`)

func functionsOfC(source []byte) (found []function) {
	for _, at := range functionOfC.FindAllSubmatchIndex(source, -1) {
		found = append(found, function{
			name:  string(source[at[2]:at[3]]),
			line:  1 + bytes.Count(source[:at[0]], []byte{'\n'}),
			lines: 1 + bytes.Count(source[at[0]:at[1]], []byte{'\n'}),
		})
	}

	return found
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "length-lint:", err)
	os.Exit(2)
}
