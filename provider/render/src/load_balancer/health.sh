#!/bin/bash
# health CONFIG_FOLDER RUN_FOLDER: probes every backend once a second and keeps those that fail out of nginx' upstreams, because
# nginx itself learns of a bad backend only from a client's connection, and never that an API server is not ready yet.
#
# A backend that answers anything but 200 is left out at once, one that does not answer after two rounds; it is back with its first
# good answer. When every backend of a listener fails, all are kept: a wrong probe must not be worse than none.
set -u

# Started again under `timeout`: reads "host port server" lines and prints "server 200" for each port that takes a connection.
if [[ $1 == --tcp ]]; then
  while read -r host port server; do
    (exec 3<>"/dev/tcp/$host/$port" && echo "$server 200") 2>/dev/null &
  done
  wait
  exit
fi

config=$1
run=$2
probes=() # "listener server url", or "listener server tcp"
declare -A is_up=() failures=()
while read -r listener server probe; do
  probes+=("$listener $server $probe")
  key="$listener $server"
  failures[$key]=0
  is_up[$key]=1
  if [[ -s $run/upstream-$listener.conf ]] && ! grep -q -x -F -e "server $server;" "$run/upstream-$listener.conf"; then
    is_up[$key]=0
  fi
done <"$config/backends"

tcp_probes() {
  local _ server probe host
  for entry in "${probes[@]}"; do
    read -r _ server probe <<<"$entry"
    [[ $probe == tcp ]] || continue
    host=${server%:*}
    host=${host#[}
    echo "${host%]} ${server##*:} $server"
  done
}

# One program for all HTTPS probes and one for all TCP probes of a round.
https_config=$(
  for entry in "${probes[@]}"; do
    read -r _ _ probe <<<"$entry"
    [[ $probe == tcp ]] || echo "$probe"
  done | sort -u | while read -r url; do
    printf 'url = "%s"\noutput = "/dev/null"\n' "$url"
  done
)
tcp_list=$(tcp_probes | sort -u)

# Prints "url code" and "server code" lines; what is not there did not answer.
answers() {
  if [[ -n $tcp_list ]]; then
    timeout 1 "$BASH" "$0" --tcp <<<"$tcp_list" &
  fi
  if [[ -n $https_config ]]; then
    curl --config - --parallel --parallel-immediate --insecure --globoff --silent --noproxy '*' --max-time 1 \
      --write-out '%{url_effective} %{http_code}\n' <<<"$https_config" 2>/dev/null
  fi
  wait
}

judge() {
  local listener server probe key code
  local -A answer=()
  while read -r key code; do
    answer[$key]=$code
  done
  for entry in "${probes[@]}"; do
    read -r listener server probe <<<"$entry"
    key="$listener $server"
    [[ $probe == tcp ]] && probe=$server
    code=${answer[$probe]:-000}
    if [[ $code == 200 ]]; then
      ((is_up[$key])) || echo "$key is healthy"
      is_up[$key]=1 failures[$key]=0
      continue
    fi
    failures[$key]=$((failures[$key] + 1))
    if ((is_up[$key])) && { [[ $code != 000 ]] || ((failures[$key] >= 2)); }; then
      if [[ $code == 000 ]]; then
        echo "$key is left out: no answer, ${failures[$key]} times"
      else
        echo "$key is left out: it answers $code"
      fi
      is_up[$key]=0
    fi
  done
}

# Succeeds when a file changed.
write_upstreams() {
  local listener server key file changed=1
  local -A up=() all=()
  for entry in "${probes[@]}"; do
    read -r listener server _ <<<"$entry"
    key="$listener $server"
    all[$listener]+="server $server;"$'\n'
    up[$listener]+=
    ((is_up[$key])) && up[$listener]+="server $server;"$'\n'
  done
  for listener in "${!all[@]}"; do
    file=$run/upstream-$listener.conf
    [[ -n ${up[$listener]} ]] || up[$listener]=${all[$listener]}
    if [[ ! -e $file || $(<"$file") != "${up[$listener]%$'\n'}" ]]; then
      printf '%s' "${up[$listener]}" >"$file.health" && mv "$file.health" "$file"
      changed=0
    fi
  done
  return "$changed"
}

# An nginx that was started while a file changed may have read the older one, so that a new process is told too.
told=
tell_nginx() {
  local changed=$1 pid=
  read -r pid 2>/dev/null <"$run/nginx.pid" || return 0
  if [[ $changed == changed || (-n $told && $pid != "$told") ]]; then
    kill -HUP "$pid"
  fi
  told=$pid
}

mkdir -p "$run"
while :; do
  sleep 1 &
  tick=$!
  judge < <(answers)
  if write_upstreams; then tell_nginx changed; else tell_nginx same; fi
  wait "$tick"
done
