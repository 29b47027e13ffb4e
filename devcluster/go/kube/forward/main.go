// forward listens on a TCP address of the machine and passes every connection to an address inside the
// network namespace of a process. It ends when that process ends.
//
// A socket belongs to the namespace of the thread that made it, so the listener is made before, and every
// outgoing connection is made on a thread that has entered the namespace.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const dialTimeout = 10 * time.Second

func main() {
	address := flag.String("listen", "127.0.0.1:0", "address to listen on; when its port is taken, a free one is chosen")
	target := flag.String("to", "", "address inside the namespace")
	pid := flag.Int("pid", 0, "process whose network namespace is entered, and whose end ends this program")
	portFile := flag.String("port-file", "", "file that receives the port")
	flag.Parse()
	if err := run(*address, *target, *portFile, *pid); err != nil {
		log.Fatal(err)
	}
}

func run(address, target, portFile string, pid int) error {
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return err
	}
	watched, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("pidfd_open: %w", err)
	}
	go func() {
		waitForEnd(watched)
		os.Exit(0)
	}()
	listener, err := listen(address)
	if err != nil {
		return err
	}
	if err := writePort(portFile, listener.Addr().(*net.TCPAddr).Port); err != nil {
		return err
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			return err
		}
		go serve(client.(*net.TCPConn), namespace, target)
	}
}

// listen takes the address it is given or, when its port is taken, any free port of the same host.
func listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return listener, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return net.Listen("tcp", net.JoinHostPort(host, "0"))
}

// writePort replaces the file in one step: a reader sees no port or the whole port.
func writePort(file string, port int) error {
	temporary := filepath.Join(filepath.Dir(file), "."+filepath.Base(file))
	if err := os.WriteFile(temporary, []byte(fmt.Sprintln(port)), 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, file)
}

func waitForEnd(pidfd int) {
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, -1)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

func serve(client *net.TCPConn, namespace *os.File, target string) {
	defer client.Close()
	server, err := dial(namespace, target)
	if err != nil {
		log.Printf("%s: %v", target, err)
		return
	}
	defer server.Close()
	done := make(chan struct{}, 2)
	relay := func(to, from *net.TCPConn) {
		_, _ = io.Copy(to, from)
		_ = to.CloseWrite()
		done <- struct{}{}
	}
	go relay(server, client)
	go relay(client, server)
	<-done
	<-done
}

// dial connects from inside the namespace.
func dial(namespace *os.File, target string) (*net.TCPConn, error) {
	type result struct {
		connection net.Conn
		err        error
	}
	results := make(chan result, 1)
	go func() {
		// The thread stays locked, so the runtime throws it away with this goroutine instead of using it
		// again in the wrong namespace.
		runtime.LockOSThread()
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			results <- result{nil, fmt.Errorf("setns: %w", err)}
			return
		}
		// A dialer with one literal address makes its socket on this very goroutine.
		dialer := net.Dialer{Timeout: dialTimeout, FallbackDelay: -1}
		connection, err := dialer.Dial("tcp", target)
		results <- result{connection, err}
	}()
	r := <-results
	if r.err != nil {
		return nil, r.err
	}
	return r.connection.(*net.TCPConn), nil
}
