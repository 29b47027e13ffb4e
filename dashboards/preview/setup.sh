#!/usr/bin/env bash
# setup.sh: what the dashboards' preview and its tests need: the locked npm packages and a Chromium.
set -euo pipefail
cd "$(dirname "$0")"

supported='const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)'
if ! command -v npm >/dev/null || ! node -e "$supported"; then
  echo "setup needs Node.js 20.19 or newer with npm: https://nodejs.org/en/download" >&2
  exit 1
fi
echo "setup: dashboards/preview/node_modules with Node $(node --version)"
npm ci --prefer-offline --no-progress --loglevel=error >/dev/null

if ! command -v chromium >/dev/null && ! command -v google-chrome >/dev/null; then
  if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "setup needs Chromium: install it (Debian: apt-get install chromium)" >&2
    exit 1
  fi
  echo "setup: installing Chromium"
  apt-get install -y -qq --no-install-recommends chromium >/dev/null 2>&1 || {
    apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null
  }
fi
