#!/usr/bin/env bash
# run.sh: every acceptance test, once they are built. What needs no lab runs beside what shares it, and is printed when both have ended:
# hosts keep two processors busy half of the time. `cluster`, which measures gaps in service, comes last.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")" || exit

without_lab=(aws aws_drift aws_interrupted aws_proxy bad_inputs certificate_requests certificates documents plans)
with_lab=()
# Whatever is in no list takes part with the lab, so that no test is left out.
for test in tests/*.rs tests/*/main.rs; do
  name=$(basename "${test%/main.rs}" .rs)
  [[ " ${without_lab[*]} cluster " == *" $name "* ]] || with_lab+=("$name")
done

run() {
  local arguments=() name
  for name in "$@"; do arguments+=(--test "$name"); done
  cargo test --quiet --package acceptance-tests --no-fail-fast "${arguments[@]}"
}

log=$(mktemp)
set -m # a process group of its own, which can be ended as a whole
run "${without_lab[@]}" >"$log" 2>&1 </dev/null &
beside=$!
set +m
trap 'kill -TERM -- -$beside 2>/dev/null; rm -f "$log"' EXIT
trap 'exit 130' INT TERM

failed=''
run "${with_lab[@]}" || failed=yes
run cluster || failed=yes
echo
echo "Beside these, without the lab:"
wait "$beside" || failed=yes
cat "$log"
[[ -z $failed ]]
