package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// supervised runs this program again as a child and does what process 1 of a container must: pass signals on, and reap
// what other programs leave behind (git detaches its garbage collection). It returns the child's exit code.
func supervised(name string, arguments []string) (int, error) {
	// Before the child starts: the kernel drops what process 1 has no handler for, and a signal could come early.
	passed, ended := listen()
	defer signal.Stop(passed)
	defer signal.Stop(ended)
	child, err := os.StartProcess(name, arguments, &os.ProcAttr{Env: os.Environ(), Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		return 0, err
	}
	for {
		select {
		case <-ended:
			if code, over := reap(child.Pid); over {
				return code, nil
			}
		case received := <-passed:
			if number, ok := received.(syscall.Signal); ok {
				_ = syscall.Kill(child.Pid, number) // it may have ended: then SIGCHLD is on its way
			}
		}
	}
}

// listen takes the signals that process 1 passes on, and those of children that have ended. Signals that find a full
// channel are dropped: the end of a child has a channel of its own, on which one waiting signal stands for all.
func listen() (passed, ended chan os.Signal) {
	passed, ended = make(chan os.Signal, 64), make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	for number := syscall.SIGHUP; number <= 64; number++ {
		switch number {
		case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD: // nobody can take the first two
		case syscall.SIGURG, 32, 33, 34: // Go's scheduler sends itself the first, the C library has the others
		default:
			signal.Notify(passed, number)
		}
	}
	return passed, ended
}

// reap collects every process that has ended and tells whether the child is one of them.
func reap(child int) (code int, ended bool) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil || pid <= 0:
			return code, ended
		case pid == child && status.Signaled():
			code, ended = 128+int(status.Signal()), true
		case pid == child:
			code, ended = status.ExitStatus(), true
		}
	}
}

// asProcessOne is the exit code of process 1, or false for any other process.
func asProcessOne() (int, bool) {
	if os.Getpid() != 1 {
		return 0, false
	}
	name, err := os.Executable()
	if err == nil {
		var code int
		if code, err = supervised(name, os.Args); err == nil {
			return code, true
		}
	}
	newLogger(os.Stderr, "", 0).fail("can't run as a child of process 1", err)
	return 1, true
}
