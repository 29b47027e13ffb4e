#!/bin/bash
# The CGI program of the web server: git's own HTTP backend
set -euo pipefail
export GIT_PROJECT_ROOT=/srv/git GIT_HTTP_EXPORT_ALL=1 HOME=/tmp
# git sends large requests compressed, and busybox passes that header under another name
export HTTP_CONTENT_ENCODING="${HTTP_CONTENT_ENCODING:-}"
exec git http-backend
