package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options is the configuration of one process.
type options struct {
	repo, ref, root, link              string
	username, password, passwordFile   string
	cookieFile                         bool
	askpassURL                         string
	sshKnownHosts                      bool
	sshKnownHostsFile                  string
	sshKeyFiles                        stringList
	credentials                        credentialList
	httpBind                           string
	httpMetrics                        bool
	submodules, git, gitGC, gitConfig  string
	exechookCommand, prePublishCommand string
	exechookTimeout, exechookBackoff   time.Duration
	prePublishTimeout                  time.Duration
	webhookURL, webhookMethod          string
	webhookStatus                      int
	webhookTimeout, webhookBackoff     time.Duration
	touchFile, errorFile               string
	oneTime, groupWrite, addUser       bool
	depth, maxFailures, verbose        int
	period, syncTimeout, staleTimeout  time.Duration
	syncOnSignal                       syscall.Signal
	help, version                      bool
}

// wrongUse is a configuration that the program does not start with; code 2 for flags, 1 for values.
type wrongUse struct {
	message string
	code    int
}

func (w *wrongUse) Error() string { return w.message }

func wrong(format string, values ...any) error {
	return &wrongUse{fmt.Sprintf(format, values...), 1}
}

type stringList []string

func (l *stringList) String() string { return strings.Join(*l, ",") }
func (l *stringList) Set(text string) error {
	*l = append(*l, strings.Split(text, ",")...)
	return nil
}

// unsupported are flags of the upstream program that this one has not: naming one must not go unnoticed.
var unsupported = []string{"github-base-url", "github-app-private-key-file", "github-app-client-id", "github-app-application-id", "github-app-installation-id", "sparse-checkout-file", "http-pprof"}

// onlyVariables may not be flags: everybody can read the arguments of a process.
var onlyVariables = map[string]bool{"password": true}

func define(set *flag.FlagSet, o *options) *string {
	set.StringVar(&o.repo, "repo", "", "the git repository to sync (required)")
	set.StringVar(&o.ref, "ref", "HEAD", "the revision: branch, tag or full hash")
	set.StringVar(&o.root, "root", "", "the folder for everything (required)")
	set.StringVar(&o.link, "link", "", "the symlink to publish, under --root (default: the last part of --repo)")
	set.StringVar(&o.username, "username", "", "the user for the repository")
	set.StringVar(&o.password, "password", "", "the password (only as a variable)")
	set.StringVar(&o.passwordFile, "password-file", "", "a file with the password")
	set.Var(&o.credentials, "credential", "JSON: one or a list of {url, username, password or password-file}")
	set.StringVar(&o.askpassURL, "askpass-url", "", "asked before each sync for username= and password= lines")
	set.BoolVar(&o.cookieFile, "cookie-file", false, "use /etc/git-secret/cookie_file")
	set.Var(&o.sshKeyFiles, "ssh-key-file", "the SSH key, may be given several times (default /etc/git-secret/ssh)")
	set.BoolVar(&o.sshKnownHosts, "ssh-known-hosts", true, "check the host's key")
	set.StringVar(&o.sshKnownHostsFile, "ssh-known-hosts-file", "/etc/git-secret/known_hosts", "the known host keys")
	set.BoolVar(&o.addUser, "add-user", false, "add the running uid to /etc/passwd")
	set.StringVar(&o.httpBind, "http-bind", "", "the address of the HTTP endpoint")
	set.BoolVar(&o.httpMetrics, "http-metrics", false, "serve /metrics")
	set.StringVar(&o.submodules, "submodules", "recursive", "recursive, shallow or off")
	set.StringVar(&o.git, "git", "git", "the git program")
	set.StringVar(&o.gitGC, "git-gc", "always", "auto, always, aggressive or off")
	set.StringVar(&o.gitConfig, "git-config", "", "more git settings: key:value,...")
	set.StringVar(&o.exechookCommand, "exechook-command", "", "run after each sync, in the new tree")
	set.DurationVar(&o.exechookTimeout, "exechook-timeout", 30*time.Second, "how long it may run")
	set.DurationVar(&o.exechookBackoff, "exechook-backoff", 3*time.Second, "wait before another try")
	set.StringVar(&o.prePublishCommand, "pre-publish-exechook-command", "", "run in the new tree before it is published")
	set.DurationVar(&o.prePublishTimeout, "pre-publish-exechook-timeout", 30*time.Second, "how long it may run")
	set.StringVar(&o.webhookURL, "webhook-url", "", "called after each sync")
	set.StringVar(&o.webhookMethod, "webhook-method", "POST", "its method")
	set.IntVar(&o.webhookStatus, "webhook-success-status", 200, "the status that means success (0: any)")
	set.DurationVar(&o.webhookTimeout, "webhook-timeout", time.Second, "how long a call may take")
	set.DurationVar(&o.webhookBackoff, "webhook-backoff", 3*time.Second, "wait before another try")
	set.StringVar(&o.touchFile, "touch-file", "", "touched after each sync; relative paths count from --root")
	set.StringVar(&o.errorFile, "error-file", "", "holds the last error; relative paths count from --root")
	set.BoolVar(&o.oneTime, "one-time", false, "exit after one sync")
	set.BoolVar(&o.groupWrite, "group-write", false, "give the group the user's rights")
	set.IntVar(&o.depth, "depth", 1, "how many commits (0: all)")
	set.IntVar(&o.maxFailures, "max-failures", 0, "consecutive failures before exit (-1: never)")
	set.IntVar(&o.verbose, "verbose", 0, "how much is logged")
	set.IntVar(&o.verbose, "v", 0, "how much is logged")
	set.DurationVar(&o.period, "period", 10*time.Second, "time between syncs")
	set.DurationVar(&o.syncTimeout, "sync-timeout", 120*time.Second, "time for one sync")
	set.DurationVar(&o.staleTimeout, "stale-worktree-timeout", 0, "keep earlier trees so long")
	set.BoolVar(&o.help, "help", false, "print this")
	set.BoolVar(&o.help, "h", false, "print this")
	set.BoolVar(&o.version, "version", false, "print the version")
	return set.String("sync-on-signal", "", "sync when this signal comes")
}

// parseOptions reads variables, then flags, and checks what they say. The text is the usage.
func parseOptions(arguments []string, lookup func(string) (string, bool)) (*options, string, error) {
	o := &options{}
	set := flag.NewFlagSet("git-sync", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	signalName := define(set, o)
	usage := usageOf(set)
	if err := fromVariables(set, lookup); err != nil {
		return o, usage, err
	}
	if err := fromArguments(set, o, arguments); err != nil {
		return o, usage, err
	}
	if o.help || o.version {
		return o, usage, nil
	}
	return o, usage, complete(o, *signalName, set.Args())
}

func variable(name string) string {
	return "GITSYNC_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

func fromVariables(set *flag.FlagSet, lookup func(string) (string, bool)) error {
	var failed error
	set.VisitAll(func(f *flag.Flag) {
		if value, ok := lookup(variable(f.Name)); ok && len(f.Name) > 1 && failed == nil {
			if err := set.Set(f.Name, value); err != nil {
				failed = wrong("invalid environment variable %s: %v", variable(f.Name), err)
			}
		}
	})
	for _, name := range unsupported {
		if value, ok := lookup(variable(name)); ok && value != "" && failed == nil {
			failed = wrong("%s is not supported by this stand-in", variable(name))
		}
	}
	return failed
}

func fromArguments(set *flag.FlagSet, o *options, arguments []string) error {
	for _, argument := range arguments {
		name, _, _ := strings.Cut(strings.TrimLeft(argument, "-"), "=")
		if !strings.HasPrefix(argument, "-") {
			continue
		}
		if onlyVariables[name] {
			return &wrongUse{fmt.Sprintf("--%s is not a flag: use %s", name, variable(name)), 1}
		}
		for _, other := range unsupported {
			if name == other {
				return wrong("--%s is not supported by this stand-in", name)
			}
		}
	}
	keys, credentials := o.sshKeyFiles, o.credentials
	o.sshKeyFiles, o.credentials = nil, nil // a flag replaces the variable, it does not add to it
	if err := set.Parse(arguments); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			o.help = true
			return nil
		}
		message := strings.Replace(err.Error(), "flag provided but not defined: -", "unknown flag: --", 1)
		return &wrongUse{message, 2}
	}
	if o.sshKeyFiles == nil {
		o.sshKeyFiles = keys
	}
	if o.credentials == nil {
		o.credentials = credentials
	}
	return nil
}

func complete(o *options, signalName string, rest []string) error {
	if len(rest) > 0 {
		return wrong("unexpected argument: %q", rest[0])
	}
	if o.repo == "" {
		return wrong("required flag: --repo must be specified")
	}
	if o.root == "" {
		return wrong("required flag: --root must be specified")
	}
	root, err := filepath.Abs(o.root)
	if err != nil {
		return wrong("can't absolutize --root: %v", err)
	}
	o.root = root
	if o.link == "" {
		o.link = path.Base(strings.TrimRight(o.repo, "/"))
		if index := strings.LastIndex(o.link, ":"); index >= 0 { // user@host:name.git
			o.link = o.link[index+1:]
		}
	}
	if o.errorFile != "" {
		o.errorFile = under(o.root, o.errorFile)
	}
	if len(o.sshKeyFiles) == 0 {
		o.sshKeyFiles = stringList{"/etc/git-secret/ssh"}
	}
	if signalName != "" {
		if o.syncOnSignal, err = signalNumber(signalName); err != nil {
			return err
		}
	}
	return checked(o)
}

func checked(o *options) error {
	oneOf := func(flag, value string, allowed ...string) error {
		for _, word := range allowed {
			if value == word {
				return nil
			}
		}
		return wrong("invalid flag: --%s must be one of %s", flag, strings.Join(allowed, ", "))
	}
	if err := oneOf("submodules", o.submodules, "recursive", "shallow", "off"); err != nil {
		return err
	}
	if err := oneOf("git-gc", o.gitGC, "auto", "always", "aggressive", "off"); err != nil {
		return err
	}
	switch {
	case o.depth < 0:
		return wrong("invalid flag: --depth must be greater than or equal to 0")
	case o.period < 10*time.Millisecond:
		return wrong("invalid flag: --period must be at least 10ms")
	case o.syncTimeout < 10*time.Millisecond:
		return wrong("invalid flag: --sync-timeout must be at least 10ms")
	case o.password != "" && o.passwordFile != "":
		return wrong("invalid flag: only one of --password-file and %s may be specified", variable("password"))
	case o.username != "" && o.password == "" && o.passwordFile == "":
		return wrong("required flag: %s or --password-file must be specified when --username is specified", variable("password"))
	case o.username == "" && (o.password != "" || o.passwordFile != ""):
		return wrong("required flag: --username must be specified with a password")
	case o.username != "" && len(o.credentials) > 0:
		return wrong("invalid flag: --credential may not be specified with --username")
	}
	for _, c := range o.credentials {
		if c.URL == "" || c.Username == "" || (c.Password == "") == (c.PasswordFile == "") {
			return wrong("invalid flag: --credential needs url, username and one of password and password-file")
		}
	}
	return nil
}

var signals = map[string]syscall.Signal{"HUP": syscall.SIGHUP, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT}

func signalNumber(name string) (syscall.Signal, error) {
	if number, err := strconv.Atoi(name); err == nil && number > 0 && number < 65 {
		return syscall.Signal(number), nil
	}
	if found, ok := signals[strings.TrimPrefix(strings.ToUpper(name), "SIG")]; ok {
		return found, nil
	}
	return 0, wrong("invalid flag: --sync-on-signal must be a valid signal name or number")
}

func usageOf(set *flag.FlagSet) string {
	var lines []string
	set.VisitAll(func(f *flag.Flag) {
		if onlyVariables[f.Name] {
			lines = append(lines, fmt.Sprintf("      %s\t%s", variable(f.Name), f.Usage))
			return
		}
		lines = append(lines, fmt.Sprintf("      --%s\t%s (default %q, $%s)", f.Name, f.Usage, f.DefValue, variable(f.Name)))
	})
	sort.Strings(lines)
	return "Usage of git-sync:\n" + strings.Join(lines, "\n") + "\n"
}

// credential is one entry of --credential.
type credential struct {
	URL          string `json:"url"`
	Username     string `json:"username"`
	Password     string `json:"password,omitempty"`
	PasswordFile string `json:"password-file,omitempty"`
}

type credentialList []credential

func (l *credentialList) String() string { return "" }

// Set adds one JSON object or a JSON list of them.
func (l *credentialList) Set(text string) error {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	if !strings.HasPrefix(text, "[") {
		text = "[" + text + "]"
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	var more []credential
	if err := decoder.Decode(&more); err != nil {
		return fmt.Errorf("not a credential: %w", err)
	}
	*l = append(*l, more...)
	return nil
}
