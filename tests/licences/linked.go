package licences

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// ours is what this project itself consists of.
const ours = "github.com/frankenphp-ws/frankenphp-ws/"

// goModule is a module that a binary links, with the folders of the packages that it links of it.
type goModule struct {
	path, version, folder string
	packages              []string
}

// command runs a program in a folder and returns what it prints.
func command(folder string, name string, arguments ...string) ([]byte, error) {
	cmd := exec.Command(name, arguments...)
	var said bytes.Buffer
	cmd.Dir, cmd.Stderr = folder, &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", name, strings.Join(arguments, " "), err, said.String())
	}

	return out, nil
}

// goModules lists the modules of others that a main package links with these tags.
func goModules(folder, main, tags string) (map[string]*goModule, error) {
	out, err := command(folder, "go", "list", "-deps", "-tags", tags, "-json=Dir,Module", main)
	if err != nil {
		return nil, err
	}
	modules := make(map[string]*goModule)
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Dir    string
			Module *struct{ Path, Version, Dir string }
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return modules, nil
		} else if err != nil {
			return nil, err
		}
		if p.Module == nil || strings.HasPrefix(p.Module.Path+"/", ours) {
			continue // the standard library, or ourselves
		}
		m, known := modules[p.Module.Path]
		if !known {
			m = &goModule{path: p.Module.Path, version: p.Module.Version, folder: p.Module.Dir}
			modules[m.path] = m
		}
		m.packages = append(m.packages, p.Dir)
	}
}

// inBinary lists the modules of others that are in a binary, by what Go has written into it, and the tags it was built with.
func inBinary(path string) (modules []string, tags string, err error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return nil, "", err
	}
	for _, module := range info.Deps {
		if !strings.HasPrefix(module.Path+"/", ours) {
			modules = append(modules, module.Path)
		}
	}
	for _, setting := range info.Settings {
		if setting.Key == "-tags" {
			tags = setting.Value
		}
	}

	return modules, tags, nil
}

// judgeModule judges the licence files of a module: at its root, where there must be one, and in the folders of the packages that are
// linked and those above them.
func judgeModule(m *goModule) error {
	files, err := judgeFolder(m.folder)
	if err == nil && files == 0 {
		err = fmt.Errorf("no licence file in %s", m.folder)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", m.path, m.version, err)
	}
	folders := make(map[string]struct{})
	for _, folder := range m.packages {
		for ; folder != m.folder && strings.HasPrefix(folder, m.folder); folder = filepath.Dir(folder) {
			folders[folder] = struct{}{}
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		if _, err := judgeFolder(folder); err != nil {
			return fmt.Errorf("%s %s: %w", m.path, m.version, err)
		}
	}

	return nil
}

// crates lists the crates that a package of the workspace links, as "name version", with their licences.
func crates(folder, name string) (map[string]string, error) {
	out, err := command(folder, "cargo", "tree", "--locked", "--package", name, "--edges", "normal", "--prefix", "none", "--no-dedupe",
		"--format", "{p}|{l}")
	if err != nil {
		return nil, err
	}
	found := make(map[string]string)
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		crate, licence, split := strings.Cut(line, "|")
		if !split {
			return nil, fmt.Errorf("cargo tree prints %q", line)
		}
		found[crate] = licence
	}

	return found, nil
}
