#!/bin/bash
# Serve the bare repositories below /srv/git: HTTP :8080 /cgi-bin/git/<name>.git (push allowed), git:// :9418 (read only).
#   INIT_REPOS="a b"             make empty ones with the branch main
#   GIT_USER and GIT_PASSWORD    ask for them over HTTP, for reading too (git:// stays open)
#   HTTP_PORT, GIT_PORT          8080, 9418
set -euo pipefail
repositories=/srv/git
git config --global safe.directory '*' # volumes belong to root
for name in ${INIT_REPOS:-}; do
  if [[ ! -d "$repositories/$name.git" ]]; then
    git init -q --bare -b main "$repositories/$name.git"
    git -C "$repositories/$name.git" config http.receivepack true
  fi
done
settings=/tmp/httpd.conf
: >"$settings"
if [[ -n "${GIT_USER:-}" ]]; then
  (umask 077 && echo "/cgi-bin:$GIT_USER:${GIT_PASSWORD:?}" >"$settings")
fi
git daemon --reuseaddr --export-all --base-path="$repositories" --port="${GIT_PORT:-9418}" &
exec busybox httpd -f -p "${HTTP_PORT:-8080}" -h /srv/www -c "$settings"
