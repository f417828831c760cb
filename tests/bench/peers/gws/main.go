// Command gws is the benchmark's peer: an echo server on github.com/lxzan/gws, the usual way of putting WebSockets
// beside FrankenPHP, used directly and behind Caddy's reverse_proxy. It runs with gws's defaults and without compression.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"log"
	"math/big"
	"net"
	"net/http"
	_ "net/http/pprof" // /debug/pprof/heap?gc=1, the door through which the load generator asks for a collection
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lxzan/gws"
)

type echo struct{ gws.BuiltinEventHandler }

func (echo) OnPing(socket *gws.Conn, payload []byte) { _ = socket.WritePong(payload) }

// A failed write closes the connection within gws; the read loop then ends.
func (echo) OnMessage(socket *gws.Conn, message *gws.Message) {
	defer message.Close()
	_ = socket.WriteMessage(message.Opcode, message.Bytes())
}

// selfSigned is as Caddy's internal issuer makes them: a key on P-256, and HTTP/1.1 only.
func selfSigned() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}

	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}},
		NextProtos:   []string{"http/1.1"},
	}, nil
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address of the echo server, path /")
	encrypt := flag.Bool("tls", false, "serve over TLS, with a certificate of its own making")
	debug := flag.String("debug", "", "address of net/http/pprof; none when empty")
	flag.Parse()

	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatalf("cannot listen on %s: %v", *listen, err)
	}
	if *debug != "" {
		go func() { log.Fatalf("cannot serve pprof on %s: %v", *debug, http.ListenAndServe(*debug, nil)) }()
	}

	upgrader := gws.NewUpgrader(echo{}, &gws.ServerOption{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		socket, err := upgrader.Upgrade(w, r)
		if err != nil {
			return // gws has answered
		}
		// A goroutine of its own, so that what net/http keeps for the request can be collected.
		go socket.ReadLoop()
	})

	server := &http.Server{Handler: handler}
	if *encrypt {
		config, err := selfSigned()
		if err != nil {
			log.Fatalf("cannot make a certificate: %v", err)
		}
		listener = tls.NewListener(listener, config)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-stop
		_ = server.Close()
	}()

	log.Printf("listening on %s", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}
