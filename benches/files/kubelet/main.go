// A kubelet that can do nothing but forward ports, with the code of the real one: over WebSockets and over SPDY, which
// kubectl needs. Every port of every pod is the Unix socket that its argument names.
//
//	kubelet SOCKET      prints the TCP port of 127.0.0.1 on which it listens
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/portforward"
)

type forwarder struct{ socket string }

// PortForward copies as containerd does: until both directions have ended, or the pod has closed its side.
func (f forwarder) PortForward(_ context.Context, _, _ string, _ int32, stream io.ReadWriteCloser) error {
	connection, err := net.Dial("unix", f.socket)
	if err != nil {
		return err
	}
	defer connection.Close()
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(connection, stream)
		_ = connection.(*net.UnixConn).CloseWrite()
		if err != nil && !errors.Is(err, net.ErrClosed) {
			log.Print(err)
		}
	}()
	go func() {
		_, err := io.Copy(stream, connection)
		ended <- err
	}()
	return <-ended
}

func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "kubelet"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: kubelet SOCKET")
	}
	own, err := certificate()
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	http.HandleFunc("/portForward/", func(w http.ResponseWriter, r *http.Request) {
		options, err := portforward.NewV4Options(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		pod := strings.TrimPrefix(r.URL.Path, "/portForward/")
		portforward.ServePortForward(w, r, forwarder{os.Args[1]}, pod, "", options, 4*time.Hour, 30*time.Second, portforward.SupportedProtocols)
	})
	// SPDY takes the connection over, which HTTP/2 does not allow.
	server := http.Server{
		TLSConfig:    &tls.Config{Certificates: []tls.Certificate{own}},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	log.Fatal(server.ServeTLS(listener, "", ""))
}
