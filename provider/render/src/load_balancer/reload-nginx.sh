#!/bin/sh
# reload-nginx PID_FILE SECONDS: tells nginx to read its configuration again, and succeeds once it serves by it. A master that cannot take the
# configuration, for example because it cannot open a listener, says so in its log and goes on with the old one; one that can starts new
# workers and tells all old ones to end (ngx_master_process_cycle in nginx' src/os/unix/ngx_process_cycle.c).
read -r master <"$1" || exit 1

# A worker that is told to end says so in its title.
workers() {
  grep -lsE "^PPid:[[:space:]]*$master\$" /proc/[0-9]*/status | while read -r status; do
    title=$(tr '\0' ' ' 2>/dev/null <"${status%/status}/cmdline")
    case $title in
    *'worker process is shutting down'*) ;;
    *'worker process'*) echo "${status%/status}" ;;
    esac
  done
}

# Whether there are workers, and none of them is of those before.
all_are_new() {
  now=$(workers)
  [ -n "$now" ] || return 1
  for worker in $now; do
    case " $before " in *" $worker "*) return 1 ;; esac
  done
}

before=$(workers | tr '\n' ' ')
kill -HUP "$master" || exit 1
tries=0
while [ "$tries" -lt $(($2 * 10)) ]; do
  sleep 0.1
  if all_are_new; then exit 0; fi
  tries=$((tries + 1))
done
echo "nginx goes on with its old configuration: $2 s after the reload it has no worker with the new one" >&2
exit 1
