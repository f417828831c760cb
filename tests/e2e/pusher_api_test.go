package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// signedByApp is the target of a call that the application of pusherSite has signed.
func signedByApp(method, path, body string) string {
	query := fmt.Sprintf("auth_key=app-key&auth_timestamp=%d&auth_version=1.0&body_md5=%x", time.Now().Unix(), md5.Sum([]byte(body)))
	mac := hmac.New(sha256.New, []byte("app-secret"))
	io.WriteString(mac, method+"\n"+path+"\n"+query)

	return fmt.Sprintf("%s?%s&auth_signature=%x", path, query, mac.Sum(nil))
}

func TestAnHonestServerIsAnsweredWhileOthersSendHalfOfWhatNobodyHasSigned(t *testing.T) {
	t.Parallel()
	if err := installed(); err != nil {
		t.Fatal(err)
	}
	s := start(t, pusherSite(""))

	// None of them ends its body.
	others := make([]*raw, 200)
	for n := range others {
		other, err := dialTCP(s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		fmt.Fprintf(other, "POST /apps/1/events?auth_key=app-key HTTP/1.1\r\nHost: %s\r\nContent-Length: 60000\r\n\r\n%s", s.addr, strings.Repeat("x", n*100))
		others[n] = other
	}

	what, err := json.Marshal(map[string]any{"server": s.addr, "id": "1", "key": "app-key", "secret": "app-secret"})
	if err != nil {
		t.Fatal(err)
	}
	calls := exec.Command("node", "api.cjs", string(what))
	calls.Dir = "pusher"
	out, err := calls.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if parts := bytes.Count(out, []byte("\n")); err == nil && parts != 6 {
		t.Errorf("%d parts ran:\n%s", parts, out)
	}

	for n, other := range others {
		response, err := http.ReadResponse(other.in, nil)
		if err != nil {
			t.Fatalf("%d: %v", n, err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusUnauthorized {
			t.Fatalf("%d: %s %v", n, response.Status, err)
		}
		if _, err := other.in.ReadByte(); err != io.EOF {
			t.Fatalf("%d: the connection stays: %v", n, err)
		}
	}
	if s.log.contains("app-secret") {
		t.Error("the secret is in the log")
	}
}

func TestCallsAreCarriedOutOverEachVersionOfHTTPAndABodyThatDoesNotEndIsRefusedThere(t *testing.T) {
	t.Parallel()
	want := pusherSite("")
	want.plain, want.tls = false, true
	want.body = strings.Replace(want.body, "\t\tpusher {\n", "\t\thandshake_timeout 1s\n\t\tpusher {\n", 1)
	s := start(t, want)
	insecure := &tls.Config{InsecureSkipVerify: true}
	quic := &http3.Transport{TLSClientConfig: insecure}
	defer quic.Close()

	for major, transport := range map[int]http.RoundTripper{
		1: &http.Transport{TLSClientConfig: insecure.Clone()},
		2: &http.Transport{TLSClientConfig: insecure.Clone(), ForceAttemptHTTP2: true},
		3: quic,
	} {
		client := &http.Client{Transport: transport, Timeout: 2 * bound}
		defer client.CloseIdleConnections()
		answers := func(target string, body io.Reader, status int) {
			t.Helper()
			request, err := http.NewRequest(http.MethodPost, "https://"+s.addr+target, body)
			if err != nil {
				t.Fatal(err)
			}
			response, err := client.Do(request)
			if err != nil {
				t.Fatalf("HTTP/%d: %s: %v", major, target, err)
			}
			text, _ := io.ReadAll(response.Body)
			response.Body.Close()
			if response.ProtoMajor != major || response.StatusCode != status {
				t.Errorf("HTTP/%d: %s: %s %s %s", major, target, response.Proto, response.Status, text)
			}
		}
		endless := func() io.Reader {
			body, writer := io.Pipe()
			t.Cleanup(func() { writer.Close() })
			return body
		}
		news := `{"name":"news","channel":"hall","data":"` + strings.Repeat("x", 9000) + `"}`
		answers(signedByApp("POST", "/apps/1/events", news), strings.NewReader(news), http.StatusOK)
		answers(signedByApp("POST", "/apps/1/events", news), strings.NewReader(news+" "), http.StatusUnauthorized)
		answers("/apps/1/events", endless(), http.StatusUnauthorized)
		answers(signedByApp("POST", "/apps/1/events", "{}"), endless(), http.StatusRequestTimeout)
		// With what was refused the connection has not ended, or another one is taken.
		answers(signedByApp("POST", "/apps/1/events", news), strings.NewReader(news), http.StatusOK)
	}
}
