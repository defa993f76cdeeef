#!/usr/bin/env bash
# As the official image does: an empty folder is made a cluster, whose init scripts
# run while it listens on its socket only.
set -euo pipefail
if [ "$(id -u)" = 0 ]; then
  chown postgres "$PGDATA"
  exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --username=postgres --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
    --auth-local=trust --auth-host=scram-sha-256 >/dev/null
  printf 'host all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
  pg_ctl start --wait --silent --options='-c listen_addresses= -c unix_socket_directories=/tmp' >/dev/null
  for script in /docker-entrypoint-initdb.d/*.sql; do
    psql --quiet --host=/tmp --username=postgres --set=ON_ERROR_STOP=1 --file="$script"
  done
  pg_ctl stop --wait --silent --mode=fast
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
