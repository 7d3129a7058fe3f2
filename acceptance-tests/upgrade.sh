#!/usr/bin/env bash
# upgrade.sh COMMIT PROGRAM: builds the provider of a commit of this repository, as PROGRAM.
set -euo pipefail

[[ -n $1 ]] || { echo "which commit? make upgrade FROM=v0.1.0" >&2 && exit 2; }
program=$2
commit=$(git rev-parse --verify --quiet "$1^{commit}") || { echo "there is no commit $1" >&2 && exit 2; }
[[ $(cat "$program.commit" 2>/dev/null) != "$commit" ]] || exit 0

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
git archive "$commit" | tar -x -C "$folder"
rm -f "$program.commit"
make -C "$folder" provider
cp --force "$CARGO_TARGET_DIR/debug/terraform-provider-k8s" "$program"
echo "$commit" > "$program.commit"
