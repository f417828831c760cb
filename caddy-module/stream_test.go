package websocket

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/http2connect"
)

// In a process of its own, since packages are initialised once.
func TestHTTP2IsSwitchedOnBeforeItsPackageLooksAndChildrenDoNotInheritThat(t *testing.T) {
	if os.Getenv("FWS_TEST_GODEBUG") != "" {
		t.Logf("wanted %v, GODEBUG %q", http2connect.Wanted(), os.Getenv("GODEBUG"))

		return
	}

	for _, c := range []struct{ variable, godebug, want string }{
		{"1", "", `wanted true, GODEBUG ""`},
		{"1", "http2client=0", `wanted true, GODEBUG "http2client=0"`},
		{"0", "", `wanted false, GODEBUG ""`},
		{"", "", `wanted false, GODEBUG ""`},
	} {
		child := exec.Command(os.Args[0], "-test.v", "-test.run=^TestHTTP2IsSwitchedOnBeforeItsPackageLooks")
		child.Env = append(os.Environ(), "FWS_TEST_GODEBUG=1", http2connect.Variable+"="+c.variable, "GODEBUG="+c.godebug)
		if output, err := child.CombinedOutput(); err != nil || !strings.Contains(string(output), c.want) {
			t.Errorf("%+v: %v\n%s", c, err, output)
		}
	}
}

// dialTLS is dial for a site that is served over TLS.
func dialTLS(t *testing.T, socket, path string) *tls.Conn {
	t.Helper()

	var conn *tls.Conn
	connect := func() bool {
		plain, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		conn = tls.Client(plain, &tls.Config{ServerName: "localhost", InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})

		return conn.Handshake() == nil
	}
	// Caddy makes the certificate in the background.
	eventually(t, connect, func() { t.Fatal("the TLS handshake fails") })
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}

	return conn
}

const secureSite = "{\n\tadmin off\n\tpersist_config off\n\tskip_install_trust\n\tauto_https disable_redirects\n\tstorage file_system {storage}\n\tlog {\n\t\toutput discard\n\t}\n}\n" +
	"https://localhost {\n\tbind unix/{socket}\n\ttls internal\n{body}\n}\n"

func secure(t *testing.T, body string) string {
	t.Helper()

	return strings.NewReplacer("{storage}", t.TempDir(), "{body}", body).Replace(secureSite)
}

func TestAConnectionOfTLSIsTakenOverThroughAPipe(t *testing.T) {
	for name, body := range map[string]string{"plainly": echo, "with an access log": "\tlog\n\tencode gzip\n" + echo} {
		t.Run(name, func(t *testing.T) {
			caddyfile := secure(t, body)
			socket := run(t, caddyfile)
			conn := dialTLS(t, socket, "/core")

			// Frames in the segment of the request are the first.
			request := strings.Replace(upgrade, "/ws", "/core", 1)
			request = strings.Replace(request, "Host: example.com", "Host: localhost", 1) + "\r\n"
			if _, err := conn.Write(append([]byte(request), text("one")...)); err != nil {
				t.Fatal(err)
			}
			c := reader(conn)
			response, err := http.ReadResponse(c.Reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != 101 {
				body, _ := io.ReadAll(response.Body)
				t.Fatalf("got %d %q", response.StatusCode, body)
			}
			if _, got := receive(t, c); got != "one" {
				t.Errorf("got %q", got)
			}
			exchange(t, c, "two")

			load(t, strings.Replace(caddyfile, "tls internal", "tls internal\n\theader X-Reload yes", 1), socket)
			exchange(t, c, "after a reload")

			// The pipe goes with the client.
			conn.Close()
			eventually(t, func() bool { return process.pipes.Len() == 0 }, func() { t.Errorf("%d pipes are left", process.pipes.Len()) })
		})
	}
}
