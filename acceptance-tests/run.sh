#!/usr/bin/env bash
# run.sh: every acceptance test, once they are built. What needs no lab runs beside what shares it, and is printed when it has ended:
# hosts keep two processors busy half of the time. `cluster`, which measures gaps in service, comes last and alone.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")" || exit

without_lab=(aws aws_drift aws_interrupted aws_proxy bad_inputs certificate_requests certificates documents plans)
with_lab=()
# Whatever is in no list takes part with the lab, so that no test is left out.
for test in tests/*.rs tests/*/main.rs; do
  name=$(basename "${test%/main.rs}" .rs)
  [[ " ${without_lab[*]} cluster " == *" $name "* ]] || with_lab+=("$name")
done

run() { # OPTION... of cargo, and names of test programs
  local arguments=() name
  for name in "$@"; do
    if [[ $name == --* ]]; then arguments+=("$name"); else arguments+=(--test "$name"); fi
  done
  cargo test --quiet --package acceptance-tests --no-fail-fast "${arguments[@]}"
}

log=$(mktemp)
set -m # a process group of its own, which can be ended as a whole
run --lib --bins "${without_lab[@]}" >"$log" 2>&1 </dev/null &
beside=$!
set +m
trap 'kill -TERM -- -$beside 2>/dev/null; cat "$log"; rm -f "$log"' EXIT
trap 'exit 130' INT TERM

failed=''
run "${with_lab[@]}" || failed=yes
wait "$beside" || failed=yes
echo
echo "Beside these, without the lab:"
cat "$log"
: >"$log"
run cluster || failed=yes
[[ -z $failed ]]
