package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestTheLongestMatchingCredentialAnswersAndItsFileIsReadEachTime(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	text, err := json.Marshal(credentialList{
		{URL: "https://h.example", Username: "all", Password: "p:1"},
		{URL: "https://h.example/team", Username: "team", PasswordFile: file},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(helperMarker, string(text))
	ask := func(path string) string {
		var out bytes.Buffer
		if code := credentialHelper([]string{"get"}, strings.NewReader("protocol=https\nhost=h.example\npath="+path+"\n\n"), &out); code != 0 {
			t.Fatalf("code %d", code)
		}
		return out.String()
	}
	for _, word := range []string{"first", "renewed"} {
		if err := os.WriteFile(file, []byte(word+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := ask("team/r.git"); got != "username=team\npassword="+word+"\n" {
			t.Errorf("%q", got)
		}
	}
	if got := ask("teamwork/r.git"); got != "username=all\npassword=p:1\n" {
		t.Errorf("%q", got)
	}
}

func TestAnotherHostGetsNoCredential(t *testing.T) {
	t.Setenv(helperMarker, `[{"url":"https://h.example","username":"u","password":"p"}]`)
	var out bytes.Buffer
	credentialHelper([]string{"get"}, strings.NewReader("protocol=https\nhost=other.example\npath=r.git\n"), &out)
	if out.Len() != 0 {
		t.Errorf("%q", out.String())
	}
}

func TestLogLinesAreJSONWithTheUpstreamFields(t *testing.T) {
	var out bytes.Buffer
	errorFile := filepath.Join(t.TempDir(), "error.json")
	log := newLogger(&out, errorFile, 0)
	log.info("updated successfully", "syncCount", 2)
	log.detail(1, "unseen")
	log.fail("too many failures, aborting", errors.New("no\nroute"), "failCount", 1)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%q", lines)
	}
	var first, second map[string]any
	if err := errors.Join(json.Unmarshal([]byte(lines[0]), &first), json.Unmarshal([]byte(lines[1]), &second)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"logger", "ts", "caller", "level", "msg", "syncCount"} {
		if _, ok := first[name]; !ok {
			t.Errorf("%s is missing in %s", name, lines[0])
		}
	}
	if second["error"] != "no\nroute" || second["failCount"] != float64(1) {
		t.Errorf("%v", second)
	}
	if text, err := os.ReadFile(errorFile); err != nil || !json.Valid(text) || !strings.Contains(string(text), "aborting") {
		t.Errorf("%s %v", text, err)
	}
	log.deleteErrorFile()
	if _, err := os.Stat(errorFile); !os.IsNotExist(err) {
		t.Error("the error file is still there")
	}
}

func TestTheEndpointIsReadyAfterTheFirstSyncAndCounts(t *testing.T) {
	s := newStatus()
	get := func(path string) (int, string) {
		answer := httptest.NewRecorder()
		s.handler(true).ServeHTTP(answer, httptest.NewRequest("GET", path, nil))
		return answer.Code, answer.Body.String()
	}
	if code, _ := get("/"); code != 503 {
		t.Errorf("code %d before the first sync", code)
	}
	s.setReady()
	s.record("success", 1500*time.Millisecond)
	s.record("error", time.Second)
	s.recordHook("webhook", "error")
	if code, _ := get("/"); code != 200 {
		t.Errorf("code %d after the first sync", code)
	}
	_, text := get("/metrics")
	for _, line := range []string{`git_sync_count_total{status="success"} 1`, `git_sync_count_total{status="error"} 1`, `git_sync_duration_seconds_sum{status="success"} 1.5`,
		`git_sync_duration_seconds_count{status="success"} 1`, "# TYPE git_sync_duration_seconds summary", `git_sync_hook_run_count_total{name="webhook",status="error"} 1`} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no %q in %s", line, text)
		}
	}
}

func TestPasswordsInAddressesAreNotShown(t *testing.T) {
	if got := redacted("fetch https://u:secret@h.example/r.git main"); got != "fetch https://h.example/r.git main" {
		t.Error(got)
	}
}

// TestMain lets a test run this binary as the child of supervised.
func TestMain(m *testing.M) {
	if os.Getenv("SUPERVISED_CHILD") != "" {
		supervisedChild()
	}
	os.Exit(m.Run())
}

// supervisedChild tells that it is up, waits for SIGHUP and ends with 7.
func supervisedChild() {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	os.Stdout.WriteString("up\n")
	<-hup
	os.Exit(7)
}

func TestProcessOnePassesSignalsOnAndEndsAsItsChildDoes(t *testing.T) {
	t.Setenv("SUPERVISED_CHILD", "1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = write
	defer func() { os.Stdout = stdout }()
	go func() {
		line := make([]byte, 3)
		if _, err := io.ReadFull(read, line); err == nil {
			_ = syscall.Kill(os.Getpid(), syscall.SIGHUP)
		}
	}()
	code, err := supervised(self, []string{self})
	if err != nil || code != 7 {
		t.Errorf("code %d, %v", code, err)
	}
}

func TestTheEndOfAChildIsNotLostAmongOtherSignals(t *testing.T) {
	passed, ended := listen()
	defer signal.Stop(passed)
	defer signal.Stop(ended)
	for range 1000 {
		for _, number := range []syscall.Signal{syscall.SIGURG, syscall.SIGWINCH} {
			if err := syscall.Kill(os.Getpid(), number); err != nil {
				t.Fatal(err)
			}
		}
	}
	deadline := time.After(10 * time.Second)
	for len(passed) == 0 { // the flood has come
		select {
		case <-deadline:
			t.Fatal("no signal is taken")
		case <-time.After(time.Millisecond):
		}
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGCHLD); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-ended:
		if got != syscall.SIGCHLD {
			t.Errorf("%v stands for the end of a child", got)
		}
	case <-deadline:
		t.Fatal("the end of a child was dropped")
	}
	for len(passed) > 0 {
		if got := <-passed; got != syscall.SIGWINCH {
			t.Errorf("%v is passed on", got)
		}
	}
}

func TestAnythingButProcessOneRunsByItself(t *testing.T) {
	if _, ok := asProcessOne(); ok {
		t.Error("this test is not process 1")
	}
}
