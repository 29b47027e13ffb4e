#!/usr/bin/env bash
# Run a command in a root folder with its own mounts and processes. Called through unshare by chroot.py.
# usage: enter.sh ROOT UID:GID rw|ro [SOURCE:TARGET[:ro]]... -- [NAME=VALUE]... -- COMMAND [ARGUMENT]...
set -euo pipefail
root=$1 user=$2 mode=$3
shift 3
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir -m 1777 "$root/dev/shm"
for name in null zero random urandom full; do
  touch "$root/dev/$name"
  mount --bind "/dev/$name" "$root/dev/$name"
done
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
while [[ $1 != -- ]]; do
  IFS=: read -r source target flag <<<"$1"
  shift
  if [[ -d $source ]]; then
    mkdir -p "$root$target"
  elif [[ ! -e $root$target ]]; then
    mkdir -p "$(dirname "$root$target")"
    touch "$root$target"
  fi
  mount --bind "$source" "$root$target"
  if [[ $flag == ro ]]; then
    mount -o remount,bind,ro "$root$target"
  fi
done
shift
variables=()
while [[ $1 != -- ]]; do
  variables+=("$1")
  shift
done
shift
if [[ $mode == ro ]]; then
  mount -o remount,bind,ro "$root" "$root"
fi
if [[ -n ${ENTER_LOOPBACK:-} ]]; then
  ip link set lo up
fi
cd /
exec /usr/bin/env -i "${variables[@]}" /usr/bin/setpriv --no-new-privs \
  /usr/sbin/chroot --userspec="$user" "$root" "$@"
