package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// repository is the folder tree below --root: .git, .worktrees/<hash> and the link to the published one.
type repository struct {
	o     *options
	log   *logger
	env   []string
	count int
}

func newRepository(o *options, log *logger) (*repository, error) {
	env, err := gitEnvironment(o)
	if err != nil {
		return nil, err
	}
	return &repository{o: o, log: log, env: env}, nil
}

func (r *repository) linkPath() string            { return under(r.o.root, r.o.link) }
func (r *repository) worktree(hash string) string { return filepath.Join(r.o.root, ".worktrees", hash) }

// published is the hash that the link points at, or nothing.
func (r *repository) published() string {
	target, err := os.Readlink(r.linkPath())
	if err != nil {
		return ""
	}
	return filepath.Base(target)
}

// git runs git in a folder. The error holds git's own words and no address with a password.
func (r *repository) git(ctx context.Context, dir string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, r.o.git, arguments...)
	command.Dir, command.Env = dir, r.env
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 5 * time.Second
	var stdout, stderr strings.Builder
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	if ctx.Err() != nil {
		err = errors.Join(err, ctx.Err())
	}
	if err != nil {
		shown := redacted(strings.Join(arguments, " "))
		return "", fmt.Errorf("Run(git %s): %w: { stdout: %q, stderr: %q }", shown, err, strings.TrimSpace(stdout.String()), redacted(strings.TrimSpace(stderr.String())))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// sync brings the tree to the revision. It says whether the link moved and which hash it points at.
func (r *repository) sync(ctx context.Context) (bool, string, error) {
	if err := r.refreshCredentials(ctx); err != nil {
		return false, "", err
	}
	if err := r.initialise(ctx); err != nil {
		return false, "", err
	}
	hash, err := r.fetch(ctx)
	if err != nil {
		return false, "", err
	}
	before := r.published()
	if before == hash && r.sane(ctx, hash) {
		r.removeStale(ctx, hash)
		r.log.detail(1, "update not required", "ref", r.o.ref, "remote", hash, "syncCount", r.count)
		return false, hash, nil
	}
	if err := r.checkout(ctx, hash); err != nil {
		return false, "", err
	}
	if err := r.prePublish(ctx, before, hash); err != nil {
		return false, "", err
	}
	if err := r.publish(hash); err != nil {
		return false, "", err
	}
	if before != "" && before != hash { // the time from which the earlier tree counts as stale
		now := time.Now()
		_ = os.Chtimes(r.worktree(before), now, now)
	}
	r.count++
	r.log.info("updated successfully", "ref", r.o.ref, "remote", hash, "syncCount", r.count)
	if r.removeStale(ctx, hash) || before != hash {
		r.collect(ctx)
	}
	return true, hash, nil
}

func (r *repository) initialise(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(r.o.root, ".git")); err == nil {
		if _, err := r.git(ctx, r.o.root, "rev-parse", "--git-dir"); err == nil {
			return nil
		}
		r.log.info("repo directory failed checks or was empty, starting over", "path", r.o.root)
		if err := os.RemoveAll(filepath.Join(r.o.root, ".git")); err != nil {
			return err
		}
	}
	_, err := r.git(ctx, r.o.root, "init", "-q", "-b", "git-sync")
	return err
}

// fetch asks the remote for the revision itself, so that what does not exist fails with git's message. An abbreviated
// hash is not a name that a remote knows.
func (r *repository) fetch(ctx context.Context) (string, error) {
	arguments := []string{"fetch", r.o.repo, r.o.ref, "--no-progress", "--prune", "--no-auto-gc"}
	if r.o.depth > 0 {
		arguments = append(arguments, "--depth", strconv.Itoa(r.o.depth))
	} else if _, err := os.Stat(filepath.Join(r.o.root, ".git", "shallow")); err == nil {
		arguments = append(arguments, "--unshallow")
	}
	if _, err := r.git(ctx, r.o.root, arguments...); err != nil {
		return "", err
	}
	return r.git(ctx, r.o.root, "rev-parse", "FETCH_HEAD^{commit}")
}

// sane says whether the published tree is complete enough to be used on.
func (r *repository) sane(ctx context.Context, hash string) bool {
	head, err := r.git(ctx, r.worktree(hash), "rev-parse", "HEAD")
	return err == nil && head == hash
}

func (r *repository) checkout(ctx context.Context, hash string) error {
	tree := r.worktree(hash)
	if !r.sane(ctx, hash) {
		if err := os.RemoveAll(tree); err != nil {
			return err
		}
		if _, err := r.git(ctx, r.o.root, "worktree", "prune"); err != nil {
			return err
		}
		if _, err := r.git(ctx, r.o.root, "worktree", "add", "--force", "--detach", tree, hash, "--no-checkout"); err != nil {
			return err
		}
	}
	// relative, so that another container may mount the volume elsewhere
	pointer := fmt.Sprintf("gitdir: ../../.git/worktrees/%s\n", filepath.Base(tree))
	if err := os.WriteFile(filepath.Join(tree, ".git"), []byte(pointer), 0o644); err != nil {
		return err
	}
	if _, err := r.git(ctx, tree, "reset", "--hard", hash, "--"); err != nil {
		return err
	}
	if r.o.submodules == "off" {
		return nil
	}
	if _, err := os.Stat(filepath.Join(tree, ".gitmodules")); err != nil {
		return nil
	}
	arguments := []string{"submodule", "update", "--init"}
	if r.o.submodules == "recursive" {
		arguments = append(arguments, "--recursive")
	}
	if r.o.depth > 0 {
		arguments = append(arguments, "--depth", strconv.Itoa(r.o.depth))
	}
	_, err := r.git(ctx, tree, arguments...)
	return err
}

// publish points the link at the tree in one step: a reader sees the one before or this one.
func (r *repository) publish(hash string) error {
	link := r.linkPath()
	if err := os.MkdirAll(filepath.Dir(link), 0o775); err != nil {
		return err
	}
	target, err := filepath.Rel(filepath.Dir(link), r.worktree(hash))
	if err != nil {
		return err
	}
	partial := filepath.Join(filepath.Dir(link), ".tmp-"+filepath.Base(link))
	if err := os.Remove(partial); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := os.Symlink(target, partial); err != nil {
		return err
	}
	return os.Rename(partial, link)
}

// removeStale removes every tree but the published one that has not been it for --stale-worktree-timeout.
func (r *repository) removeStale(ctx context.Context, current string) bool {
	folder := filepath.Join(r.o.root, ".worktrees")
	entries, err := os.ReadDir(folder)
	if err != nil {
		return false
	}
	removed := false
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || entry.Name() == current || time.Since(info.ModTime()) < r.o.staleTimeout {
			continue
		}
		if err := os.RemoveAll(filepath.Join(folder, entry.Name())); err != nil {
			r.log.fail("failed to remove stale worktree", err, "worktree", entry.Name())
			continue
		}
		removed = true
	}
	if removed {
		if _, err := r.git(ctx, r.o.root, "worktree", "prune"); err != nil {
			r.log.fail("git worktree prune failed", err)
		}
	}
	return removed
}

// collect lets git drop what no tree needs any more. A failure is no failure of the sync.
func (r *repository) collect(ctx context.Context) {
	if r.o.gitGC == "off" {
		return
	}
	steps := [][]string{{"reflog", "expire", "--expire-unreachable=all", "--all"}, {"gc", "--quiet"}}
	switch r.o.gitGC {
	case "auto":
		steps[1] = append(steps[1], "--auto")
	case "aggressive":
		steps[1] = append(steps[1], "--aggressive", "--prune=all")
	default:
		steps[1] = append(steps[1], "--prune=all")
	}
	for _, step := range steps {
		if _, err := r.git(ctx, r.o.root, step...); err != nil {
			r.log.fail("git cleanup failed", err)
			return
		}
	}
}
