#!/bin/sh
# enter.sh FILE... -- COMMAND...: join the cgroups whose cgroup.procs files are given, then become COMMAND.
set -eu
while [ "$1" != -- ]; do
	echo $$ >"$1"
	shift
done
shift
exec "$@"
