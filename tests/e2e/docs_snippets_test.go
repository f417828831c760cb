package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// pages returns the texts of the documentation, by path from the top of the tree.
func pages(t *testing.T) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	for _, pattern := range []string{"*.md", "docs/*.md", "php/*.md", "examples/*/*.md"} {
		files, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			texts[strings.TrimPrefix(file, "../../")] = string(text)
		}
	}
	return texts
}

var caddyfiles = regexp.MustCompile("(?s)```caddyfile\n(.*?)```")

// whole makes a Caddyfile of a block that a page shows: a whole one, global options, or directives of a site.
func whole(block string) string {
	hasSite := regexp.MustCompile(`(?m)^[^\s{}#][^{}\n]* \{$`)
	switch {
	case strings.HasPrefix(block, "{") && hasSite.MatchString(block):
		return block
	case strings.HasPrefix(block, "{"):
		return block + "\n:8080 {\n\twebsocket /x {\n\t\techo\n\t}\n}\n"
	case regexp.MustCompile(`(?m)^(:\d+|[\w.-]+\.[\w.:-]+) \{$`).MatchString(block):
		return "{\n" + workersOf(block) + "}\n" + block
	default:
		return "{\n" + workersOf(block) + "}\n:8080 {\n" + block + "}\n"
	}
}

// workersOf declares the workers that a block names.
func workersOf(block string) string {
	var workers strings.Builder
	known := map[string]bool{}
	for _, name := range regexp.MustCompile(`(?m)^\s*(?:webhook )?worker ([\w-]+)\b`).FindAllStringSubmatch(block, -1) {
		if !known[name[1]] {
			known[name[1]] = true
			fmt.Fprintf(&workers, "\t\tworker {\n\t\t\tname %s\n\t\t\tfile %s.php\n\t\t}\n", name[1], name[1])
		}
	}
	if workers.Len() == 0 {
		return ""
	}
	return "\tfrankenphp {\n" + workers.String() + "\t}\n"
}

// A reader who pastes one of them is not told that something in it is unknown.
func TestEveryCaddyfileOfTheDocumentationIsAccepted(t *testing.T) {
	t.Parallel()
	checked := 0
	for page, text := range pages(t) {
		for n, block := range caddyfiles.FindAllStringSubmatch(text, -1) {
			checked++
			t.Run(fmt.Sprintf("%s, block %d", page, n+1), func(t *testing.T) {
				folder := t.TempDir()
				config := whole(block[1])
				for _, file := range regexp.MustCompile(`(?m)^\s*file (\S+\.php)$`).FindAllStringSubmatch(config, -1) {
					if err := os.WriteFile(filepath.Join(folder, file[1]), []byte("<?php"), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.WriteFile(filepath.Join(folder, "Caddyfile"), []byte(config), 0o600); err != nil {
					t.Fatal(err)
				}
				cmd := exec.Command(frankenphp(t), "validate", "--config", "Caddyfile")
				cmd.Dir, cmd.Env = folder, append(environment(folder), "REDIS_URL=redis://localhost", "REVERB_APP_ID=1", "REVERB_APP_KEY=key", "REVERB_APP_SECRET=secret")
				if output, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v\n%s\n%s", err, config, output)
				}
			})
		}
	}
	if checked < 8 {
		t.Errorf("only %d blocks were found", checked)
	}
}

// shell returns the lines of the first block of commands of a page that has a text in it.
func shell(t *testing.T, page, with string) []string {
	t.Helper()
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(pages(t)[page], -1) {
		if strings.Contains(block[1], with) {
			return strings.Split(strings.TrimSpace(block[1]), "\n")
		}
	}
	t.Fatalf("%s has no block of commands with %s", page, with)
	return nil
}

func TestTheCommandsThatTheDocumentationShowsRunAsTheyStandThere(t *testing.T) {
	t.Parallel()
	s := start(t, lab())
	folder := t.TempDir()
	if err := os.Symlink(frankenphp(t), filepath.Join(folder, "frankenphp")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"picture.webp": "RIFF\x00\xff", "only-one-of-us.sh": "#!/bin/sh\necho it was us >us\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	ann, facts := dialLab(t, s, "/lab", nil)
	s.wantCLI("", "rename", "--", facts.ID, "ann")
	s.wantCLI("", "tag", "ann", "lyon", "vip")
	bob, facts := dialLab(t, s, "/lab", nil)
	s.wantCLI("", "tag", "--", facts.ID, "lyon")

	run := func(line string) string {
		t.Helper()
		// What curl is answered with an error it tells with --fail only.
		line = strings.NewReplacer("localhost:2019", s.admin, "curl ", "curl -sS --fail ").Replace(line)
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", line)
		cmd.Dir, cmd.Env = folder, append(s.env, "PATH="+folder+":"+os.Getenv("PATH"), "HOSTNAME=here")
		output, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v %s", line, err, output)
		}
		return string(output)
	}
	for _, line := range shell(t, "docs/cli.md", "frankenphp websocket list") {
		run(line)
	}
	ann.want(t, "Doors close in five minutes")
	if kind, message, err := ann.tryReceive(); kind != websocket.MessageBinary || message != "RIFF\x00\xff" {
		t.Errorf("%v %q %v", kind, message, err)
	}
	if text, err := os.ReadFile(filepath.Join(folder, "us")); err != nil || string(text) != "it was us\n" {
		t.Errorf("%q %v", text, err)
	}
	bob.want(t, "Doors close in five minutes")

	s.wantCLI("", "kv", "del", "lock")
	for _, line := range shell(t, "docs/admin-api.md", "curl") {
		run(line)
	}
	bob.want(t, "Hello")
	s.wantCLI("mine", "kv", "get", "lock")
}

func TestTheAnnouncementOfTheChatExampleIsAsItsPageShowsIt(t *testing.T) {
	t.Parallel()
	s := startChat(t)
	for _, name := range []string{"Ann", "Bob"} {
		c := dial(t, s, "/chat", nil)
		c.send(t, `{"type":"hello","name":"`+name+`","key":"`+name+`"}`)
		c.receive(t)
	}
	shown := regexp.MustCompile(`(?m)^\$ curl -d '(text=.*)' http://localhost:8080(\S+)\n(.*)$`).FindStringSubmatch(pages(t)["examples/chat/README.md"])
	if shown == nil {
		t.Fatal("there is no curl in it")
	}
	status, body := s.post(shown[2], "application/x-www-form-urlencoded", shown[1])
	if status != http.StatusOK || strings.TrimSpace(body) != shown[3] {
		t.Errorf("%d %q, want %q", status, body, shown[3])
	}
}
