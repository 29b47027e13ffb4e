module example.invalid/source-controller-build

go 1.26.0

require github.com/fluxcd/source-controller v1.8.0

// Upstream points its api module at a folder of its own repository; the tagged module is the same.
replace github.com/opencontainers/go-digest => github.com/opencontainers/go-digest v1.0.1-0.20220411205349-bde1400a84be
