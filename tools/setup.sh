#!/usr/bin/env bash
# setup.sh MEMBER...: make .venv from requirements.lock (hash-checked) and install the members as editable.
# Needs Python 3.11 or newer; uv is taken from PATH or put into a small environment of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
uv_version=0.13.8
cache="${XDG_CACHE_HOME:-$HOME/.cache}/airflow-tenants"

python="$(command -v python3.11 || command -v python3 || true)"
if [[ -z "$python" ]] || ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "setup needs Python 3.11 or newer as python3: install it (Debian 12: apt-get install python3 python3-venv)" >&2
  exit 1
fi
if ! uv="$(command -v uv)"; then
  uv="$cache/uv-$uv_version/bin/uv"
  if [[ ! -x "$uv" ]]; then
    echo "setup: installing uv $uv_version"
    "$python" -m venv "$cache/uv-$uv_version"
    "$cache/uv-$uv_version/bin/pip" install -q --disable-pip-version-check "uv==$uv_version"
  fi
fi
echo "setup: .venv with $("$python" --version)"
[[ -x .venv/bin/python ]] || "$uv" venv -q --python "$python" .venv
"$uv" pip install -q --python .venv/bin/python --require-hashes -r requirements.lock
members=()
for member in "$@"; do members+=(-e "$member"); done
"$uv" pip install -q --python .venv/bin/python --no-deps "${members[@]}"
