package main

import (
	"os"
	"strings"
	"testing"
)

func wantComplaint(t *testing.T, name, source string, parts ...string) {
	t.Helper()
	complaints := check(name, []byte(source))
	if len(complaints) != 1 {
		t.Fatalf("%s: %q, want one complaint", name, complaints)
	}
	for _, part := range parts {
		if !strings.Contains(complaints[0], part) {
			t.Errorf("%q is not in %q", part, complaints[0])
		}
	}
}

func wantNone(t *testing.T, name, source string) {
	t.Helper()
	if complaints := check(name, []byte(source)); len(complaints) > 0 {
		t.Errorf("%s: %q", name, complaints)
	}
}

func TestALongFileIsNamedWithItsLengthTheLimitAndWhatToDo(t *testing.T) {
	wantNone(t, "a.rs", strings.Repeat("//\n", 500))
	wantComplaint(t, "a.rs", strings.Repeat("//\n", 501), "a.rs has 501 lines", "500", "split it")
	wantNone(t, "caddy-module/phpext/websocket.go", "package phpext\n"+strings.Repeat("//\n", 600))
}

func TestALongFunctionOfGoIsNamedWhateverItsTextsLookLike(t *testing.T) {
	function := func(lines int) string {
		return "package a\n\nfunc (b *B) f() {\n\t_ = `\n}\nfunc g() {\n`\n" + strings.Repeat("\t_ = 1\n", lines-6) + "}\n"
	}
	wantNone(t, "a.go", function(60))
	wantComplaint(t, "a.go", function(61), "a.go:3: f has 61 lines", "60")
}

func TestALongFunctionOfCIsNamed(t *testing.T) {
	function := func(lines int) string {
		return "#include <a.h>\n\nstatic struct {\n  int a;\n} b = {\n    1,\n};\n\nstatic int f(int a,\n             int b) {\n" +
			strings.Repeat("\n#if A\n  a();\n", (lines-3)/3) + "}\n\nint g(void) {\n  return 1;\n}\n"
	}
	wantNone(t, "a.c", function(60))
	wantComplaint(t, "a.c", function(63), "a.c:9: f has 63 lines", "60")
}

// Every brace at the left margin ends a function or something that is none.
func TestAllFunctionsOfCAreSeen(t *testing.T) {
	source, err := os.ReadFile("../caddy-module/phpext/errors.c")
	if err != nil {
		t.Fatal(err)
	}
	if found, ends := len(functionsOfC(source)), strings.Count(string(source), "\n}\n"); found != ends || found < 10 {
		t.Errorf("%d functions, %d ends of functions", found, ends)
	}
}
