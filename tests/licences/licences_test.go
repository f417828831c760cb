package licences

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	top  = "../.."
	main = "./cmd/frankenphp"
)

// binary is the FrankenPHP that `make build` has made.
func binary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(top, "build", "frankenphp")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run `make build` first", err)
	}

	return path
}

func TestEveryGoModuleInTheBinaryHasALicenceThatPermitsItsUse(t *testing.T) {
	linked, tags, err := inBinary(binary(t))
	if err != nil {
		t.Fatal(err)
	}
	modules, err := goModules(filepath.Join(top, "caddy-module"), main, tags)
	if err != nil {
		t.Fatal(err)
	}
	if len(linked) < 50 || !slices.Contains(linked, "github.com/caddyserver/caddy/v2") {
		t.Fatalf("the binary names %d modules, which cannot be all", len(linked))
	}
	for _, path := range linked {
		m, known := modules[path]
		if !known {
			t.Errorf("%s is in the binary, and `go list` does not name it: is the binary older than go.mod?", path)
			continue
		}
		if err := judgeModule(m); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d modules of Go", len(linked))
}

func TestEveryCrateInTheArchiveHasALicenceThatPermitsItsUse(t *testing.T) {
	linked, err := crates(top, "fws-ffi")
	if err != nil {
		t.Fatal(err)
	}
	if len(linked) < 10 {
		t.Fatalf("cargo names %d crates, which cannot be all", len(linked))
	}
	for crate, licence := range linked {
		if err := judgeExpression(licence); err != nil {
			t.Errorf("%s: %v", crate, err)
		}
	}
	t.Logf("%d crates", len(linked))
}

func TestABuildThatKeepsMercureIsRefusedForItsAGPL(t *testing.T) {
	_, tags, err := inBinary(binary(t))
	if err != nil {
		t.Fatal(err)
	}
	kept := slices.DeleteFunc(strings.Split(tags, ","), func(tag string) bool { return tag == "nomercure" })
	if len(kept) == len(strings.Split(tags, ",")) {
		t.Fatalf("the binary was built with the tags %s, without nomercure", tags)
	}
	modules, err := goModules(filepath.Join(top, "caddy-module"), main, strings.Join(kept, ","))
	if err != nil {
		t.Fatal(err)
	}
	var refused []string
	for path, m := range modules {
		if err := judgeModule(m); err != nil {
			refused = append(refused, path)
			if !strings.Contains(err.Error(), "AGPL-3.0") {
				t.Error(err)
			}
		}
	}
	slices.Sort(refused)
	if want := []string{"github.com/dunglas/mercure", "github.com/dunglas/mercure/caddy"}; !slices.Equal(refused, want) {
		t.Errorf("refused are %q, want %q", refused, want)
	}
}

// text is the text of a licence, as the scanner's own tests have it.
func text(t *testing.T, name string) string {
	t.Helper()
	folder, err := command(".", "go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/licensecheck")
	if err != nil {
		t.Fatal(err)
	}
	found, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(folder)), "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	// What the scanner is to find stands above the text.
	_, licence, split := strings.Cut(string(found), "\n\n")
	if !split {
		t.Fatalf("%s has no text", name)
	}

	return licence
}

// planted is a module of two packages with these files.
func planted(t *testing.T, files map[string]string) *goModule {
	t.Helper()
	folder := t.TempDir()
	packages := []string{folder, filepath.Join(folder, "a"), filepath.Join(folder, "a", "b")}
	for _, at := range packages {
		if err := os.MkdirAll(at, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	return &goModule{path: "example.com/planted", version: "v1.0.0", folder: folder, packages: packages}
}

func TestAPlantedModuleIsJudgedByAllItsLicenceFiles(t *testing.T) {
	mit, apache, gpl, agpl := text(t, "MIT.t1"), text(t, "Apache-2.0.t1"), text(t, "GPL-3.0.t1"), text(t, "AGPL-3.0.t1")
	for name, c := range map[string]struct {
		files map[string]string
		want  string // of the error; empty when it is permitted
	}{
		"MIT":                                {map[string]string{"LICENSE": mit}, ""},
		"British spelling, Apache and MIT":   {map[string]string{"LICENCE-APACHE": apache, "licence-mit.txt": mit}, ""},
		"a part under MIT":                   {map[string]string{"LICENSE": apache, "a/b/LICENSE.md": mit}, ""},
		"a folder of nothing that is linked": {map[string]string{"LICENSE": mit, "a/b/c.go": agpl}, ""},
		"AGPL":                               {map[string]string{"COPYING": agpl}, "AGPL-3.0"},
		"GPL":                                {map[string]string{"LICENSE.txt": gpl}, "GPL-3.0"},
		"MIT beside the AGPL":                {map[string]string{"LICENSE": mit, "LICENSE-AGPL": agpl}, "AGPL-3.0"},
		"a part under the AGPL":              {map[string]string{"LICENSE": mit, "a/b/LICENSE": agpl}, "AGPL-3.0"},
		"above a part that is linked":        {map[string]string{"LICENSE": mit, "a/COPYING": agpl}, "AGPL-3.0"},
		"a text that nobody knows":           {map[string]string{"LICENSE": "You may use this on Sundays only."}, "is not known"},
		"MIT with much more":                 {map[string]string{"LICENSE": mit + strings.Repeat("Not for companies with a turnover.\n", 200)}, "is not known"},
		"an empty file":                      {map[string]string{"LICENSE": ""}, "is not known"},
		"none":                               {map[string]string{"README.md": mit}, "no licence file"},
	} {
		t.Run(name, func(t *testing.T) {
			err := judgeModule(planted(t, c.files))
			if c.want == "" && err != nil {
				t.Error(err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "example.com/planted v1.0.0")) {
				t.Errorf("the error is %v; it shall say %q", err, c.want)
			}
		})
	}
}

func TestALicenceExpressionOfACrateIsPermittedIfOneOfItsAlternativesIs(t *testing.T) {
	for expression, want := range map[string]bool{
		"MIT": true, "MIT OR Apache-2.0": true, "MIT/Apache-2.0": true, "GPL-3.0-only OR MIT": true, "(MIT OR AGPL-3.0) AND Unicode-3.0": true,
		"Apache-2.0 WITH LLVM-exception": true, "Unlicense OR MIT": true,
		"AGPL-3.0": false, "GPL-2.0-or-later": false, "MIT AND GPL-3.0-only": false, "LGPL-3.0": false, "(MIT AND AGPL-3.0) OR GPL-3.0-only": false,
		"Apache-2.0 WITH Another-exception": false, "": false, "MIT OR": false, "(MIT": false, "MIT )": false, "OR MIT": false, "MIT Apache-2.0": false,
		"mit": false,
	} {
		if err := judgeExpression(expression); (err == nil) != want {
			t.Errorf("%q: permitted is %t, want %t: %v", expression, err == nil, want, err)
		}
	}
}
