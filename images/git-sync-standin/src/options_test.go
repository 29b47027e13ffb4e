package main

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func parse(t *testing.T, env map[string]string, arguments ...string) (*options, error) {
	t.Helper()
	o, _, err := parseOptions(arguments, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	return o, err
}

func TestDefaultsAreThoseOfTheUpstreamProgram(t *testing.T) {
	o, err := parse(t, nil, "--repo=https://host.example/team/r.git", "--root=/git")
	if err != nil {
		t.Fatal(err)
	}
	if o.ref != "HEAD" || o.depth != 1 || o.period != 10*time.Second || o.syncTimeout != 2*time.Minute || o.maxFailures != 0 ||
		o.submodules != "recursive" || !o.sshKnownHosts || o.gitGC != "always" || o.link != "r.git" {
		t.Errorf("%+v", o)
	}
}

func TestAFlagWinsOverItsVariable(t *testing.T) {
	o, err := parse(t, map[string]string{"GITSYNC_REPO": "a", "GITSYNC_ROOT": "/x", "GITSYNC_ONE_TIME": "true"}, "--repo", "b")
	if err != nil || o.repo != "b" || o.root != "/x" || !o.oneTime {
		t.Errorf("%v %+v", err, o)
	}
}

func TestWrongUse(t *testing.T) {
	base := []string{"--repo=r", "--root=/git"}
	for name, c := range map[string]struct {
		arguments []string
		code      int
		says      string
	}{
		"no repo":              {[]string{"--root=/git"}, 1, "required flag: --repo must be specified"},
		"unknown flag":         {append(base, "--nope"), 2, "unknown flag: --nope"},
		"argument":             {append(base, "x"), 1, "unexpected argument"},
		"password as a flag":   {append(base, "--password=x"), 1, "GITSYNC_PASSWORD"},
		"unsupported":          {append(base, "--github-app-client-id=1"), 1, "not supported by this stand-in"},
		"user without a word":  {append(base, "--username=u"), 1, "--password-file must be specified"},
		"bad submodules":       {append(base, "--submodules=some"), 1, "--submodules"},
		"bad signal":           {append(base, "--sync-on-signal=SIGNOPE"), 1, "--sync-on-signal"},
		"credential with both": {append(base, `--credential={"url":"https://h","username":"u","password":"p","password-file":"/f"}`), 1, "--credential"},
	} {
		_, err := parse(t, nil, c.arguments...)
		var wrong *wrongUse
		if !errors.As(err, &wrong) || wrong.code != c.code || !strings.Contains(wrong.message, c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheLinkDefaultsToTheLastPartOfTheAddress(t *testing.T) {
	for address, want := range map[string]string{"https://h/a/b.git/": "b.git", "git@h:c.git": "c.git", "ssh://git@h/x/d": "d"} {
		o, err := parse(t, nil, "--repo="+address, "--root=/git")
		if err != nil || o.link != want {
			t.Errorf("%s: %q %v", address, o.link, err)
		}
	}
}

func TestSignalsHaveNamesAndNumbers(t *testing.T) {
	for _, text := range []string{"SIGHUP", "hup", "1"} {
		o, err := parse(t, nil, "--repo=r", "--root=/git", "--sync-on-signal="+text)
		if err != nil || o.syncOnSignal != 1 {
			t.Errorf("%s: %v %v", text, o.syncOnSignal, err)
		}
	}
}
