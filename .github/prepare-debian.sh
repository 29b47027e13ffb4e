#!/usr/bin/env bash
# What a bare Debian 12 lacks for this project, besides Go and Node.js; the make targets fetch the rest themselves.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends \
  ca-certificates curl gcc git libc6-dev libseccomp-dev make pkg-config procps python3 python3-venv shellcheck unzip xz-utils
# a checkout in a container belongs to another user than root
git config --global --add safe.directory "$PWD"
