#!/bin/bash
# Like the entrypoint of the official image, without its waits: the first word decides what runs.
#   nothing                                     airflow
#   airflow, bash, python, celery, /a/path ...  as it stands
#   anything else                               airflow <arguments>
set -euo pipefail
umask 0002 # files stay writable for group 0, whatever the uid is
if [[ -n "${_AIRFLOW_DB_MIGRATE:-}" ]]; then airflow db migrate; fi
case "${1:-}" in
  airflow | bash | sh | python | python3 | celery | git | env | sleep | /*) exec "$@" ;;
  *) exec airflow "$@" ;;
esac
