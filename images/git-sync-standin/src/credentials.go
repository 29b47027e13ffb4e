package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
)

const (
	helperMarker = "GIT_SYNC_STANDIN_CREDENTIALS"
	cookiePath   = "/etc/git-secret/cookie_file"
)

var (
	inAddress  = regexp.MustCompile(`(\w+://)[^/@\s'"]+@`)
	sshAddress = regexp.MustCompile(`^[^/]+@[^/:]+:`)
)

// redacted is the text without users and passwords in addresses.
func redacted(text string) string { return inAddress.ReplaceAllString(text, "$1") }

// gitEnvironment is what every git process gets: settings as variables, so that no file of the user is written or needed.
func gitEnvironment(o *options) ([]string, error) {
	settings := [][2]string{
		{"safe.directory", "*"}, // volumes belong to root and a group
		{"gc.auto", "0"},
		{"advice.detachedHead", "false"},
		{"credential.helper", ""}, // none of the machine's
	}
	env := append(os.Environ(), "GIT_TERMINAL_PROMPT=0")
	helper, err := credentialsFor(o)
	if err != nil {
		return nil, err
	}
	if helper != "" || o.askpassURL != "" {
		program, err := os.Executable()
		if err != nil {
			return nil, err
		}
		settings = append(settings, [2]string{"credential.helper", program}, [2]string{"credential.useHttpPath", "true"})
		env = append(env, helperMarker+"="+helper)
	}
	if o.cookieFile {
		if _, err := os.Stat(cookiePath); err != nil {
			return nil, fmt.Errorf("can't access git cookiefile: %w", err)
		}
		settings = append(settings, [2]string{"http.cookieFile", cookiePath})
	}
	for _, pair := range strings.Split(o.gitConfig, ",") {
		if name, value, ok := strings.Cut(pair, ":"); ok {
			settings = append(settings, [2]string{strings.TrimSpace(name), strings.TrimSpace(value)})
		} else if strings.TrimSpace(pair) != "" {
			return nil, fmt.Errorf("invalid --git-config entry %q", pair)
		}
	}
	for i, setting := range settings {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, setting[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, setting[1]))
	}
	env = append(env, fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(settings)))
	if strings.HasPrefix(o.repo, "ssh://") || sshAddress.MatchString(o.repo) {
		env = append(env, "GIT_SSH_COMMAND="+sshCommand(o))
	}
	return env, nil
}

func sshCommand(o *options) string {
	words := []string{"ssh", "-o", "BatchMode=yes"}
	for _, key := range o.sshKeyFiles {
		words = append(words, "-i", quoted(key))
	}
	if o.sshKnownHosts {
		words = append(words, "-o", "StrictHostKeyChecking=yes", "-o", quoted("UserKnownHostsFile="+o.sshKnownHostsFile))
	} else {
		words = append(words, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null")
	}
	return strings.Join(words, " ")
}

func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// credentialsFor is the JSON text that the helper reads; nothing when no credential is given.
func credentialsFor(o *options) (string, error) {
	all := o.credentials
	if o.username != "" {
		all = credentialList{{URL: o.repo, Username: o.username, Password: o.password, PasswordFile: o.passwordFile}}
	}
	if len(all) == 0 {
		return "", nil
	}
	text, err := json.Marshal(all)
	return string(text), err
}

// refreshCredentials asks --askpass-url, if there is one, and gives git the answer.
func (r *repository) refreshCredentials(ctx context.Context) error {
	if r.o.askpassURL == "" {
		return nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.o.askpassURL, nil)
	if err != nil {
		return fmt.Errorf("can't create auth request: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("can't access auth URL: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("auth URL returned status %d", response.StatusCode)
	}
	answer := parseFields(io.LimitReader(response.Body, 1<<20))
	text, err := json.Marshal(credentialList{{URL: r.o.repo, Username: answer["username"], Password: answer["password"]}})
	if err != nil {
		return err
	}
	for i, variable := range r.env {
		if strings.HasPrefix(variable, helperMarker+"=") {
			r.env[i] = helperMarker + "=" + string(text)
		}
	}
	return nil
}

func parseFields(in io.Reader) map[string]string {
	found := map[string]string{}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok {
			found[name] = value
		}
	}
	return found
}

// credentialHelper answers git's question (protocol=, host=, path= on standard input) with a user and a password. The
// password file is read now, so a renewed token is used at the next sync.
func credentialHelper(arguments []string, in io.Reader, out io.Writer) int {
	if len(arguments) != 1 || arguments[0] != "get" {
		return 0 // store and erase: nothing to do
	}
	var all []credential
	if err := json.Unmarshal([]byte(os.Getenv(helperMarker)), &all); err != nil {
		return 1
	}
	asked := parseFields(in)
	best := -1
	for i, c := range all {
		if matches(c.URL, asked) && (best < 0 || len(c.URL) > len(all[best].URL)) {
			best = i
		}
	}
	if best < 0 {
		return 0
	}
	password := all[best].Password
	if all[best].PasswordFile != "" {
		text, err := os.ReadFile(all[best].PasswordFile)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		password = strings.TrimRight(string(text), "\r\n")
	}
	fmt.Fprintf(out, "username=%s\npassword=%s\n", all[best].Username, password)
	return 0
}

// matches: same protocol and host, and the path is the credential's or below it.
func matches(address string, asked map[string]string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != asked["protocol"] || u.Host != asked["host"] {
		return false
	}
	prefix, path := strings.Trim(u.Path, "/"), strings.Trim(asked["path"], "/")
	return prefix == "" || path == prefix || strings.HasPrefix(path, prefix+"/")
}
