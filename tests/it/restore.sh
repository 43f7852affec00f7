#!/bin/sh
# In a project: a server that archives its log, two runs, and a recovery to just before the second, with the settings that
# `tenure restore-point` prints. The program is the first argument, the folder of PostgreSQL's the second one.
# PostgreSQL refuses to be root.
set -eu
tenure=$1
bin=$2
dir=$(mktemp -d)
if [ "$(id -u)" = 0 ]; then chown postgres "$dir"; fi

as_server() {
    if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi
}
start() { (cd "$dir" && as_server "$bin/pg_ctl" -w -t 60 -D "$1" -l "$dir/log" -o "-k $dir -c listen_addresses=" start >&2) || { cat "$dir/log" >&2; exit 1; }; }
stop() { (cd "$dir" && as_server "$bin/pg_ctl" -w -m fast -D "$1" stop >&2); }
clean() { for data in now then; do [ -f "$dir/$data/postmaster.pid" ] && stop "$dir/$data"; done; rm -rf "$dir"; }
trap clean EXIT

(cd "$dir" && as_server "$bin/initdb" -D now -U tenure -A trust --no-sync >&2)
as_server mkdir "$dir/archive"
as_server tee -a "$dir/now/postgresql.conf" >/dev/null <<EOF
archive_mode = on
archive_command = 'cp %p $dir/archive/%f'
fsync = off
EOF
export DATABASE_URL="postgresql://tenure@localhost/postgres?host=$dir"
export TENURE_CONNECT_ATTEMPTS=1
runs='SELECT count(*) FROM datalinx_platform.run'
ask() { "$bin/psql" "$DATABASE_URL" -Atqc "$1"; }

start "$dir/now"
"$tenure" migrate up --to 1.0.3 >&2
stop "$dir/now"
as_server cp -a "$dir/now" "$dir/then"
start "$dir/now"
"$tenure" migrate up >&2
after=$(ask 'SELECT version FROM datalinx_platform.schema_version')
"$tenure" restore-point >"$dir/said"
grep -q "recovery_target_name = 'tenure_" "$dir/said"
# The log goes on and is archived.
ask 'CREATE TABLE public.later (id int); SELECT pg_switch_wal()' >&2
stop "$dir/now"

grep "^  recovery_target" "$dir/said" | as_server tee -a "$dir/then/postgresql.conf" >/dev/null
echo "restore_command = 'cp $dir/archive/%f %p'" | as_server tee -a "$dir/then/postgresql.conf" >/dev/null
as_server touch "$dir/then/recovery.signal"
start "$dir/then"
until [ "$(ask 'SELECT pg_is_in_recovery()')" = f ]; do sleep 0.1; done
back=$(ask 'SELECT version FROM datalinx_platform.schema_version')
ask 'CREATE TABLE public.goes_on (id int)' >&2
echo "after $after, back at $back with $(ask "$runs") run"
