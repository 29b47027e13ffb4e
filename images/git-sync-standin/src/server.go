package main

import (
	"fmt"
	"net"
	"net/http"
	"sort"
	"strings"
	"sync"
	"time"
)

// status is what the HTTP endpoint tells.
type status struct {
	mutex   sync.Mutex
	ready   bool
	counts  map[string]int
	seconds map[string]float64
	hooks   map[[2]string]int
}

func newStatus() *status {
	return &status{counts: map[string]int{}, seconds: map[string]float64{}, hooks: map[[2]string]int{}}
}

func (s *status) setReady() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.ready = true
}

// record counts one sync: success, noop or error.
func (s *status) record(result string, took time.Duration) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.counts[result]++
	s.seconds[result] += took.Seconds()
}

func (s *status) recordHook(name, result string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.hooks[[2]string{name, result}]++
}

func (s *status) metrics() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var text strings.Builder
	results := make([]string, 0, len(s.counts))
	for result := range s.counts {
		results = append(results, result)
	}
	sort.Strings(results)
	text.WriteString("# HELP git_sync_count_total How many git syncs completed, partitioned by state (success, error, noop)\n# TYPE git_sync_count_total counter\n")
	for _, result := range results {
		fmt.Fprintf(&text, "git_sync_count_total{status=%q} %d\n", result, s.counts[result])
	}
	text.WriteString("# HELP git_sync_duration_seconds Summary of git_sync durations\n# TYPE git_sync_duration_seconds summary\n")
	for _, result := range results {
		fmt.Fprintf(&text, "git_sync_duration_seconds_sum{status=%q} %g\ngit_sync_duration_seconds_count{status=%q} %d\n", result, s.seconds[result], result, s.counts[result])
	}
	if len(s.hooks) > 0 {
		text.WriteString("# HELP git_sync_hook_run_count_total How many hook runs completed, partitioned by name and state (success, error)\n# TYPE git_sync_hook_run_count_total counter\n")
	}
	names := make([][2]string, 0, len(s.hooks))
	for name := range s.hooks {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool { return names[i][0]+names[i][1] < names[j][0]+names[j][1] })
	for _, name := range names {
		fmt.Fprintf(&text, "git_sync_hook_run_count_total{name=%q,status=%q} %d\n", name[0], name[1], s.hooks[name])
	}
	return text.String()
}

func (s *status) handler(metrics bool) http.Handler {
	mux := http.NewServeMux()
	if metrics {
		mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
			fmt.Fprint(w, s.metrics())
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		switch {
		case r.URL.Path != "/":
			http.NotFound(w, r)
		case !s.ready:
			http.Error(w, "repo is not ready", http.StatusServiceUnavailable)
		}
	})
	return mux
}

// serve answers on --http-bind in the background; a port that is taken is an error now.
func (s *status) serve(o *options, log *logger) error {
	listener, err := net.Listen("tcp", o.httpBind)
	if err != nil {
		return err
	}
	log.info("serving HTTP", "endpoint", o.httpBind)
	server := &http.Server{Handler: s.handler(o.httpMetrics), ReadHeaderTimeout: 10 * time.Second}
	go func() { log.fail("HTTP server ended", server.Serve(listener)) }()
	return nil
}
