#!/bin/bash
# First start: make the database cluster on the volume. Every start: run the server.
#   POSTGRES_PASSWORD (required), POSTGRES_USER (postgres), POSTGRES_DB (the user's name): each also as <NAME>_FILE
#   PGDATA, POSTGRES_INITDB_ARGS, POSTGRES_HOST_AUTH_METHOD (scram-sha-256)
#   /docker-entrypoint-initdb.d/*.{sh,sql,sql.gz}: run once, after the first start
set -euo pipefail

# from_file NAME [DEFAULT]: NAME from the file that NAME_FILE names, else its value, else DEFAULT
from_file() {
  local file="${1}_FILE"
  if [[ -n "${!file:-}" ]]; then export "$1"="$(<"${!file}")"; fi
  export "$1"="${!1:-${2:-}}"
}

query() {
  psql -v ON_ERROR_STOP=1 --no-psqlrc -h "$sockets" -U "$POSTGRES_USER" -d "${database:-postgres}" "$@"
}

initialise() {
  from_file POSTGRES_PASSWORD
  from_file POSTGRES_USER postgres
  from_file POSTGRES_DB "$POSTGRES_USER"
  touch "$unfinished"
  local auth="${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}"
  if [[ -z "$POSTGRES_PASSWORD" && "$auth" != trust ]]; then
    echo >&2 'POSTGRES_PASSWORD must be set (or POSTGRES_HOST_AUTH_METHOD=trust)'
    rm -f "$unfinished"
    exit 1
  fi
  sockets=$(mktemp -d /tmp/pgsock.XXXXXX)
  # shellcheck disable=SC2086 # several arguments in one variable, as the official image has it
  initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") --encoding=UTF8 --locale=C.UTF-8 \
    --auth-local=trust --auth-host="$auth" --data-checksums ${POSTGRES_INITDB_ARGS:-}
  printf '\nhost all all all %s\n' "$auth" >>"$PGDATA/pg_hba.conf"
  pg_ctl -D "$PGDATA" -w -o "-c listen_addresses='' -c unix_socket_directories=$sockets -c fsync=off" start >/dev/null
  if [[ "$POSTGRES_DB" != postgres ]]; then query -v db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'; fi
  export PGHOST="$sockets" PGUSER="$POSTGRES_USER" PGDATABASE="$POSTGRES_DB"
  database="$POSTGRES_DB"
  shopt -s nullglob
  for file in /docker-entrypoint-initdb.d/*; do
    case "$file" in
      *.sh) bash "$file" ;;
      *.sql) query -f "$file" ;;
      *.sql.gz) gunzip -c "$file" | query ;;
    esac
  done
  pg_ctl -D "$PGDATA" -m fast -w stop >/dev/null
  rm -rf "$sockets"
  unset PGHOST PGUSER PGDATABASE POSTGRES_PASSWORD
  sync
  rm -f "$unfinished"
  echo 'PostgreSQL init process complete; ready for start up.'
}

if [[ $# -eq 0 || "$1" == -* ]]; then set -- postgres "$@"; fi
if [[ "$1" == postgres ]]; then
  if [[ $(id -u) == 0 ]]; then
    echo >&2 'run as a user other than root'
    exit 1
  fi
  mkdir -p "$PGDATA"
  chmod 700 "$PGDATA" 2>/dev/null || true
  # the mark is there only while a first start is at work: what a killed one left is no database of anybody
  unfinished="$PGDATA.initialising"
  if [[ -e "$unfinished" ]]; then
    echo 'An earlier initialisation did not end: starting it again.'
    find "$PGDATA" -mindepth 1 -maxdepth 1 -exec rm -rf {} +
  fi
  if [[ ! -s "$PGDATA/PG_VERSION" ]]; then initialise; fi
  sockets=/tmp
  if [[ -d /var/run/postgresql && -w /var/run/postgresql ]]; then sockets=/var/run/postgresql,/tmp; fi
  set -- "$@" -c listen_addresses='*' -c "unix_socket_directories=$sockets"
fi
exec "$@"
