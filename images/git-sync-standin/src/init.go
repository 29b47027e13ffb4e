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
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	defer signal.Stop(signals)
	child, err := os.StartProcess(name, arguments, &os.ProcAttr{Env: os.Environ(), Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		return 0, err
	}
	for received := range signals {
		number, ok := received.(syscall.Signal)
		switch {
		case !ok || number == syscall.SIGURG: // Go's scheduler sends itself the latter
		case number == syscall.SIGCHLD:
			if code, ended := reap(child.Pid); ended {
				return code, nil
			}
		default:
			_ = syscall.Kill(child.Pid, number) // it may have ended: then SIGCHLD is on its way
		}
	}
	return 0, errors.New("no more signals")
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
