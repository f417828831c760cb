package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const rawLoop = `<?php
while (frankenphp_handle_request(function () {
	while (($event = frankenphp_ws_nextEvent()) !== null) {
		if ($event['type'] === 'message') {
			frankenphp_ws_send($event['id'], $event['data']);
		}
	}
})) {}`

const serverRun = `<?php
require '$TESTDATA/../../../php/autoload.php';
final class Back implements FrankenPHP\WebSocket\Application {
	public function onOpen(FrankenPHP\WebSocket\Connection $c): void {}
	public function onMessage(FrankenPHP\WebSocket\Connection $c, string $data, bool $binary): void { $c->send($data); }
	public function onClose(FrankenPHP\WebSocket\Connection $c, int $code, string $reason): void {}
	public function onError(FrankenPHP\WebSocket\Connection $c, Throwable $error): void {}
}
FrankenPHP\WebSocket\Server::run(new Back());`

// visited is a site whose worker's script lies among its pages, and is reached by several ways.
func visited(script string) site {
	return site{
		global: "\tfrankenphp {\n\t\tphp_ini display_errors 1\n\t\tworker {\n\t\t\tname back\n\t\t\tfile $DIR/worker.php\n\t\t\tnum 1\n\t\t}\n\t\tworker {\n\t\t\tfile $DIR/pages.php\n\t\t\tnum 1\n\t\t}\n\t}",
		body: `
	handle_path /linked/* {
		root {$E2E_DIR}/linked
		php_server
	}
	handle_path /placeholder/* {
		vars docs {$E2E_DIR}/linked
		root {vars.docs}
		php_server
	}
	handle {
		root $DIR
		websocket /ws {
			worker back
		}
		php_server
	}`,
		files: map[string]string{
			"worker.php":  script,
			"page.php":    "<?php require 'worker.php';",
			"pages.php":   "<?php while (frankenphp_handle_request(function () { frankenphp_ws_nextEvent(); })) {}",
			"mistake.php": "<?php ini_set('display_errors', '1'); frankenphp_ws_nextEvent();",
			"index.php":   "<?php echo 'the front controller';",
		},
	}
}

func TestAVisitorWhoRequestsAWorkersScriptLearnsNothingOfIt(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{"a loop of its own": rawLoop, "Server::run()": serverRun} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, visited(script))
			for link, target := range map[string]string{"linked": ".", "link.php": "worker.php"} {
				if err := os.Symlink(filepath.Join(s.home, target), filepath.Join(s.home, link)); err != nil {
					t.Fatal(err)
				}
			}
			c := dial(t, s, "/ws", nil)
			c.send(t, "before")
			c.want(t, "before")
			for range 2 {
				for _, path := range []string{
					"/worker.php", "/worker.php?fws_bell=x", "/worker.php/", "/worker.php/path/info", "//worker.php", "/./worker.php",
					"/%77orker.php", "/link.php", "/link.php/path/info", "/linked/worker.php", "/linked/link.php",
					"/placeholder/worker.php", "/placeholder/worker.php/x", "/page.php",
				} {
					for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
						status, body := s.do(method, s.url(path), "", nil)
						if status != http.StatusNotFound || body != "" {
							t.Errorf("%s %s: %d %q", method, path, status, body)
						}
					}
				}
			}
			for _, path := range []string{"/WORKER.PHP", "/Worker.php", "/worker.PHP/x", "/worker.ph"} {
				if status, body := s.get(path); status != http.StatusOK || body != "the front controller" {
					t.Errorf("%s, which does not exist: %d %q", path, status, body)
				}
			}
			c.send(t, "after")
			c.want(t, "after")
			for _, path := range []string{"/mistake.php", "/pages.php"} {
				if status, body := s.get(path); !strings.Contains(body, "OutsideEventLoopException") {
					t.Errorf("a mistake in %s is hidden from its author: %d %q", path, status, body)
				}
			}
			if found := s.log.records("OutsideEventLoopException", "/worker.php"); len(found) > 0 {
				t.Errorf("visitors fill the log: %s", found[0])
			}
			if failed := s.stat("events_failed"); failed != 0 {
				t.Errorf("%d events failed", failed)
			}
		})
	}
}
