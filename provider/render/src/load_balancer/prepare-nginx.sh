#!/bin/sh
# prepare-nginx CONFIG_FOLDER RUN_FOLDER: writes what nginx.conf includes before nginx starts or reloads: the stream module, where it
# is not built in, and the servers of each upstream. A server that the health service has left out stays out; a new one joins.
set -eu

config=$1
run=$2
mkdir -p "$run"

build=$(/usr/sbin/nginx -V 2>&1)
case "$build" in
*--with-stream=dynamic*)
  modules=${build#*--modules-path=}
  [ "$modules" != "$build" ] || modules=/usr/lib/nginx/modules
  module=${modules%% *}/ngx_stream_module.so
  if [ ! -e "$module" ]; then
    echo "nginx has no stream module at $module: install libnginx-mod-stream (Debian, Ubuntu) or nginx-mod-stream (Fedora)" >&2
    exit 1
  fi
  echo "load_module $module;" >"$run/modules.conf"
  ;;
*--with-stream*) : >"$run/modules.conf" ;;
*)
  echo "nginx was built without the stream module: install the distribution's nginx" >&2
  exit 1
  ;;
esac

# Left out by the health service: known before, and not in the upstream file.
is_left_out() {
  [ -e "$run/backends" ] && [ -e "$run/upstream-$1.conf" ] &&
    grep -q -F -e "$1 $2 " "$run/backends" && ! grep -q -x -F -e "server $2;" "$run/upstream-$1.conf"
}

resolves() {
  host=${1%:*}
  host=${host#[}
  getent ahosts "${host%]}" >/dev/null
}

rm -f "$run"/upstream-*.new
while read -r listener server _; do
  file=$run/upstream-$listener.conf
  touch "$file.new" "$file.all"
  if ! resolves "$server"; then
    echo "$listener: $server is left out, its name has no address" >&2
    continue
  fi
  echo "server $server;" >>"$file.all"
  is_left_out "$listener" "$server" || echo "server $server;" >>"$file.new"
done <"$config/backends"

for new in "$run"/upstream-*.new; do
  [ -e "$new" ] || break
  file=${new%.new}
  [ -s "$new" ] || cp "$file.all" "$new"
  [ -s "$new" ] || echo "server 127.0.0.1:1 down;" >"$new"
  rm -f "$file.all"
  mv "$new" "$file"
done
cp "$config/backends" "$run/backends"
