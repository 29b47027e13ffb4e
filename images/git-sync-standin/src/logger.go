package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// logger writes one JSON object a line and keeps the last error in a file when asked to.
type logger struct {
	mutex     sync.Mutex
	out       io.Writer
	errorFile string
	verbose   int
}

func newLogger(out io.Writer, errorFile string, verbose int) *logger {
	return &logger{out: out, errorFile: errorFile, verbose: verbose}
}

// info says what happened.
func (l *logger) info(message string, fields ...any) {
	l.write([]any{"level", 0, "msg", message}, fields)
}

// detail says more, for --verbose.
func (l *logger) detail(level int, message string, fields ...any) {
	if level <= l.verbose {
		l.write([]any{"level", level, "msg", message}, fields)
	}
}

// fail says what went wrong; the error file holds it until a sync succeeds.
func (l *logger) fail(message string, err error, fields ...any) {
	l.write([]any{"msg", message, "error", err.Error()}, fields)
	if l.errorFile == "" {
		return
	}
	args := map[string]any{}
	for i := 0; i+1 < len(fields); i += 2 {
		args[fmt.Sprint(fields[i])] = fields[i+1]
	}
	text, problem := json.Marshal(map[string]any{"Msg": message, "Err": err.Error(), "Args": args})
	if problem == nil {
		problem = replaceFile(l.errorFile, text)
	}
	if problem != nil {
		l.write([]any{"msg", "can't write error-file", "error", problem.Error()}, []any{"path", l.errorFile})
	}
}

func (l *logger) deleteErrorFile() {
	if l.errorFile == "" {
		return
	}
	if err := os.Remove(l.errorFile); err != nil && !os.IsNotExist(err) {
		l.write([]any{"msg", "can't delete error-file", "error", err.Error()}, nil)
	}
}

func (l *logger) write(head, fields []any) {
	var line strings.Builder
	caller := map[string]any{"file": "unknown", "line": 0}
	if _, file, number, ok := runtime.Caller(2); ok {
		caller = map[string]any{"file": filepath.Base(file), "line": number}
	}
	all := append([]any{"logger", "", "ts", time.Now().UTC().Format("2006-01-02 15:04:05.000000"), "caller", caller}, head...)
	for i, pair := 0, append(all, fields...); i+1 < len(pair); i += 2 {
		separator := ","
		if i == 0 {
			separator = "{"
		}
		line.WriteString(separator + encoded(pair[i]) + ":" + encoded(pair[i+1]))
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	fmt.Fprintln(l.out, line.String()+"}")
}

func encoded(value any) string {
	switch typed := value.(type) {
	case error:
		value = typed.Error()
	case fmt.Stringer:
		value = typed.String()
	}
	text, err := json.Marshal(value)
	if err != nil {
		text, _ = json.Marshal(fmt.Sprint(value))
	}
	return string(text)
}

func replaceFile(path string, data []byte) error {
	partial := path + ".partial"
	if err := os.WriteFile(partial, data, 0o644); err != nil {
		return err
	}
	return os.Rename(partial, path)
}
