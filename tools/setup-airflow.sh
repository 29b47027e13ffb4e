#!/usr/bin/env bash
# setup-airflow.sh: make .venv-airflow, the Airflow in which the tests of the DAG library run, from
# tests/dags/requirements.lock, with the library's package as editable. Also finds PostgreSQL's server programs.
set -euo pipefail
cd "$(dirname "$0")/.."
uv="$(command -v uv || echo .venv/bin/uv)" # .venv brings the pinned one

echo "setup: .venv-airflow with Airflow and the services of its tests"
[[ -x .venv-airflow/bin/python ]] || "$uv" venv -q --python .venv/bin/python .venv-airflow
"$uv" pip sync -q --compile-bytecode --python .venv-airflow/bin/python tests/dags/requirements.lock
"$uv" pip install -q --no-deps --python .venv-airflow/bin/python -e dags/lib

if ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && ! command -v initdb >/dev/null; then
  if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "setup needs a PostgreSQL server (initdb): install it (Debian: apt-get install postgresql)" >&2
    exit 1
  fi
  echo "setup: installing PostgreSQL"
  apt-get install -y -qq --no-install-recommends postgresql >/dev/null 2>&1 || {
    apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql >/dev/null
  }
fi
