#!/usr/bin/env bash
# demo.sh up PROVIDER   a cluster out of examples/quickstart on the lab's hosts, with its progress on the screen
# demo.sh down          destroys it and ends the lab; nothing is left but the cache of what was built
# `make demo` and `make demo-down` call it. Needs root, and what `lab build` makes.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=cache.sh
. "$here/cache.sh"
eval "$("$here/lab" env)"
demo=$LAB_DIR/demo
export TF_CLI_CONFIG_FILE=$demo/.engine/terraform.rc CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1

# engine SUBCOMMAND...: in the client's network, in the demo's folder.
engine() {
  local program
  program=$("$here/engines/build.sh" --any)
  "$here/lab" exec "$program" -chdir="$demo" "$@"
}

# Runs the apply and shows what the provider writes of its phases meanwhile.
apply() {
  local status=0 follower
  : > "$demo/progress.log"
  tail -n 0 -F "$demo/progress.log" 2>/dev/null &
  follower=$!
  engine apply -auto-approve -input=false -no-color > "$demo/apply.log" 2>&1 || status=$?
  sleep 0.2 # the last lines
  kill "$follower"
  wait "$follower" 2>/dev/null || true
  ((status == 0)) || { cat "$demo/apply.log"; die "apply failed; try it again, or end with: make demo-down"; }
}

install_kubectl() {
  install -m 755 "$LAB_MIRROR_DIR"/dl.k8s.io/release/v*/bin/linux/amd64/kubectl "$demo/kubectl"
  (umask 077 && engine output -raw kubeconfig > "$demo/kubeconfig")
}

demo_up() {
  local provider=$1 started=$SECONDS
  say "starting hosts"
  "$here/lab" up
  "$here/workspace.sh" "$provider" "$here/../../examples/quickstart" "$demo"
  engine init -input=false -no-color > "$demo/init.log" || { cat "$demo/init.log"; die "init failed"; }
  say "applying examples/quickstart"
  apply
  install_kubectl
  say "ready in $((SECONDS - started)) s"
  cat << END

$("$here/lab" exec "$demo/kubectl" --kubeconfig "$demo/kubeconfig" get nodes -o wide)

endpoint    $(engine output -raw endpoint), and the same on IPv6: https://[fd77:0:0:1::100]:6443
kubeconfig  $demo/kubeconfig
hosts       $LAB ssh cp-1
kubectl     $LAB exec $demo/kubectl --kubeconfig $demo/kubeconfig get pods -A
plan again  cd $demo && TF_CLI_CONFIG_FILE=$TF_CLI_CONFIG_FILE $LAB exec $("$here/engines/build.sh" --any) plan
destroy     make demo-down
END
}

demo_down() {
  if [[ -s $demo/terraform.tfstate && -e /run/netns/$LAB_CLIENT_NAMESPACE ]]; then
    say "destroying the cluster"
    engine destroy -auto-approve -input=false -no-color > "$demo/destroy.log" 2>&1 || cat "$demo/destroy.log"
  fi
  "$here/lab" down
  rm -rf "$demo" "$LAB_DIR"
  say "everything is removed; what was built stays in $(cache_root)"
}

((EUID == 0)) || die "the lab makes network namespaces and mounts: run it as root"
case ${1:-} in
  up) demo_up "${2:?which provider?}" ;;
  down) demo_down ;;
  *) die "demo.sh up PROVIDER, or demo.sh down" ;;
esac
