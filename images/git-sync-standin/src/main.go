// git-sync-standin keeps a folder at a revision of a git repository: the flags, variables, layout, metrics, log lines and
// exit codes of git-sync v4 that this project relies on, written from its public description. Not the upstream program.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const version = "v4-standin"

func main() {
	if os.Getenv(helperMarker) != "" { // git runs this program again to ask for a user and password
		os.Exit(credentialHelper(os.Args[1:], os.Stdin, os.Stdout))
	}
	options, usage, err := parseOptions(os.Args[1:], os.LookupEnv)
	var wrong *wrongUse
	switch {
	case errors.As(err, &wrong):
		fmt.Fprintln(os.Stderr, wrong.message)
		fmt.Fprint(os.Stderr, usage)
		os.Exit(wrong.code)
	case options.help:
		fmt.Fprint(os.Stderr, usage)
		return
	case options.version:
		fmt.Println(version)
		return
	}
	if code, ok := asProcessOne(); ok {
		os.Exit(code)
	}
	os.Exit(run(options, os.Stderr))
}

func run(o *options, out io.Writer) int {
	log := newLogger(out, o.errorFile, o.verbose)
	if o.groupWrite {
		syscall.Umask(0o002)
	}
	if err := os.MkdirAll(o.root, 0o775); err != nil {
		log.fail("can't make the root", err, "root", o.root)
		return 1
	}
	if o.addUser {
		if err := addUser("/etc/passwd"); err != nil {
			log.fail("can't add a user", err)
			return 1
		}
	}
	repository, err := newRepository(o, log)
	if err != nil {
		log.fail("can't set up git", err)
		return 1
	}
	status := newStatus()
	if o.httpBind != "" {
		if err := status.serve(o, log); err != nil {
			log.fail("failed to bind HTTP endpoint", err, "endpoint", o.httpBind)
			return 1
		}
	}
	wake := make(chan os.Signal, 1)
	if o.syncOnSignal != 0 { // no earlier than the original does it: until then the signal ends the process
		signal.Notify(wake, o.syncOnSignal)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	log.info("starting up", "version", version, "pid", os.Getpid(), "uid", os.Getuid(), "gid", os.Getgid(), "home", os.Getenv("HOME"))
	return loop(ctx, o, repository, status, log, wake)
}

// loop syncs until the context ends, the failures are too many or, with --one-time, one sync has succeeded. It returns
// the exit code.
func loop(ctx context.Context, o *options, repository *repository, status *status, log *logger, wake <-chan os.Signal) int {
	hooks := startHooks(o, status, log, repository.worktree)
	failures, first := 0, true
	for {
		start := time.Now()
		attempt, cancel := context.WithTimeout(ctx, o.syncTimeout)
		changed, hash, err := repository.sync(attempt)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ended(log)
		case err != nil:
			failures++
			status.record("error", time.Since(start))
			if o.maxFailures >= 0 && failures > o.maxFailures {
				log.fail("too many failures, aborting", err, "failCount", failures)
				return 1
			}
			log.fail("error syncing repo, will retry", err, "failCount", failures)
		default:
			failures = 0
			status.setReady()
			result := "noop"
			if changed || first { // the first sync of a process counts as a change: hooks may have missed the one before
				result = "success"
				touch(o, log)
				hooks.send(hash)
			}
			first = false
			status.record(result, time.Since(start))
			log.deleteErrorFile()
			if o.oneTime {
				return finish(hooks, log)
			}
		}
		if !sleep(ctx, o.period, wake, log) {
			return ended(log)
		}
	}
}

func finish(hooks hooks, log *logger) int {
	code := 0
	if err := hooks.wait(); err != nil {
		code = 1
	}
	log.info("exiting after one sync", "status", code)
	return code
}

func ended(log *logger) int {
	log.info("stopped by a signal")
	return 128 + int(syscall.SIGTERM)
}

func sleep(ctx context.Context, period time.Duration, wake <-chan os.Signal, log *logger) bool {
	timer := time.NewTimer(period)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case got := <-wake:
		log.info("caught signal", "signal", got.String())
	case <-timer.C:
	}
	return true
}

func touch(o *options, log *logger) {
	if o.touchFile == "" {
		return
	}
	path := under(o.root, o.touchFile)
	now := time.Now()
	if err := os.Chtimes(path, now, now); err == nil {
		return
	}
	if err := os.WriteFile(path, nil, 0o666); err != nil {
		log.fail("failed to touch touch-file", err, "path", path)
	}
}

// under makes a path absolute: relative ones count from root.
func under(root, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(root, path)
}

// addUser gives the running uid a line in the passwd file, which ssh asks for.
func addUser(passwd string) error {
	file, err := os.OpenFile(passwd, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	home := os.Getenv("HOME")
	if home == "" {
		home = "/tmp"
	}
	_, err = fmt.Fprintf(file, "git-sync:x:%d:%d::%s:/sbin/nologin\n", os.Getuid(), os.Getgid(), home)
	return errors.Join(err, file.Close())
}
