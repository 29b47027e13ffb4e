package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// hook is something to do after a sync, in the background, again and again until it succeeds.
type hook struct {
	name    string
	backoff time.Duration
	do      func(ctx context.Context, hash string) error
	hashes  chan string
	done    chan error
	oneTime bool
	status  *status
	log     *logger
}

type hooks []*hook

func startHooks(o *options, status *status, log *logger, tree func(string) string) hooks {
	var all hooks
	if o.exechookCommand != "" {
		all = append(all, &hook{name: "exechook", backoff: o.exechookBackoff, do: func(ctx context.Context, hash string) error {
			return execHook(ctx, o.exechookCommand, o.exechookTimeout, tree(hash), hash)
		}})
	}
	if o.webhookURL != "" {
		all = append(all, &hook{name: "webhook", backoff: o.webhookBackoff, do: func(ctx context.Context, hash string) error {
			return webHook(ctx, o, hash)
		}})
	}
	for _, h := range all {
		h.hashes, h.done, h.oneTime, h.status, h.log = make(chan string, 1), make(chan error, 1), o.oneTime, status, log
		go h.run()
	}
	return all
}

// send hands the newest hash on; one that was not begun is replaced.
func (all hooks) send(hash string) {
	for _, h := range all {
		select {
		case <-h.hashes:
		default:
		}
		h.hashes <- hash
	}
}

// wait returns after the first run of every hook, with an error if one failed.
func (all hooks) wait() error {
	var failed error
	for _, h := range all {
		if err := <-h.done; err != nil {
			failed = err
		}
	}
	return failed
}

func (h *hook) run() {
	last := ""
	for hash := range h.hashes {
		for hash != last {
			err := h.do(context.Background(), hash)
			if err == nil {
				last = hash
				h.status.recordHook(h.name, "success")
			} else {
				h.status.recordHook(h.name, "error")
				h.log.fail("hook failed", err, "name", h.name, "hash", hash)
			}
			if h.oneTime {
				h.done <- err
				return
			}
			if err != nil {
				time.Sleep(h.backoff)
				select {
				case hash = <-h.hashes: // a newer one takes its place
				default:
				}
			}
		}
	}
}

func execHook(ctx context.Context, command string, timeout time.Duration, tree, hash string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	program := exec.CommandContext(ctx, command)
	program.Dir = tree
	program.Env = append(os.Environ(), "GITSYNC_HASH="+hash)
	program.WaitDelay = time.Second
	said, err := program.CombinedOutput()
	if err != nil {
		return fmt.Errorf("Run(%s): %w: %q", command, err, strings.TrimSpace(string(said)))
	}
	return nil
}

func webHook(ctx context.Context, o *options, hash string) error {
	ctx, cancel := context.WithTimeout(ctx, o.webhookTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, o.webhookMethod, o.webhookURL, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Gitsync-Hash", hash)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if o.webhookStatus != 0 && response.StatusCode != o.webhookStatus {
		return fmt.Errorf("received response code %d expected %d", response.StatusCode, o.webhookStatus)
	}
	return nil
}

// prePublish runs the gate in the new tree; its variable holds the hash that is published still. An error keeps that.
func (r *repository) prePublish(ctx context.Context, before, hash string) error {
	if r.o.prePublishCommand == "" {
		return nil
	}
	if err := execHook(ctx, r.o.prePublishCommand, r.o.prePublishTimeout, r.worktree(hash), before); err != nil {
		return fmt.Errorf("pre-publish exechook: %w", err)
	}
	return nil
}
