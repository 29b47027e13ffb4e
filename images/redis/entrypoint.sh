#!/bin/bash
# REDIS_PASSWORD or REDIS_PASSWORD_FILE sets the password through a file: it does not show in the list of processes.
set -euo pipefail
if [[ $# -eq 0 || "$1" == -* ]]; then set -- redis-server "$@"; fi
if [[ "$1" == redis-server ]]; then
  password="${REDIS_PASSWORD:-}"
  if [[ -n "${REDIS_PASSWORD_FILE:-}" ]]; then password="$(<"$REDIS_PASSWORD_FILE")"; fi
  protected=no
  if [[ -n "$password" ]]; then protected=yes; fi
  settings=$(umask 077 && mktemp /tmp/redis.XXXXXX)
  {
    echo 'bind * -::*'
    echo "protected-mode $protected"
    echo 'save ""'
    echo 'appendonly no'
    echo "dir ${REDIS_DIR:-/data}"
    if [[ -n "$password" ]]; then echo "requirepass $password"; fi
  } >"$settings"
  shift
  unset REDIS_PASSWORD
  exec redis-server "$settings" "$@"
fi
exec "$@"
