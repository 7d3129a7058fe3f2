#!/usr/bin/env bash
# build.sh [--any | PROGRAM...]: prints the paths of the engines which the tests use, one a line: `terraform`, if a version which is
# recent enough is on the PATH, and OpenTofu, built from Go modules into the cache (8 minutes on two cores).
#   --any        only one of them: terraform if there is one, so OpenTofu is built only where nothing else is
#   PROGRAM...   instead: builds these and prints their paths: opentofu zlint tfplugindocs certificate-requests terraform-provider-tls kops
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=../cache.sh
. "$here/../cache.sh"
# shellcheck source=../go-build.sh
. "$here/../go-build.sh"

# Write-only attributes came with this one.
terraform_minimum=1.11.0

# Prints the path of terraform, if there is one that is recent enough.
find_terraform() {
  local path version
  path=$(command -v terraform) || return 0
  version=$(CHECKPOINT_DISABLE=1 TF_CLI_CONFIG_FILE=/dev/null "$path" version -json | sed -n 's/.*"terraform_version": *"\([^"]*\)".*/\1/p')
  if [[ $(printf '%s\n' "$terraform_minimum" "$version" | sort -V | head -n 1) == "$terraform_minimum" ]]; then
    printf '%s\n' "$path"
  else
    say "$path is version $version, the tests need $terraform_minimum or later"
  fi
}

build_opentofu() {
  local folder
  # Without the stamp it calls itself a development version.
  folder=$(go_programs opentofu "$here/go/opentofu" X=github.com/opentofu/opentofu/version.dev=no github.com/opentofu/opentofu/cmd/tofu)
  printf '%s/tofu\n' "$folder"
}

# Judges certificates by the rules of the public Web.
build_zlint() {
  local folder
  folder=$(go_programs zlint "$here/go/zlint" '' github.com/zmap/zlint/v3/cmd/zlint)
  printf '%s/zlint\n' "$folder"
}

# Judges the pages of the registry, as the registry's publisher offers it.
build_tfplugindocs() {
  local folder
  folder=$(go_programs tfplugindocs "$here/go/tfplugindocs" '' github.com/hashicorp/terraform-plugin-docs/cmd/tfplugindocs)
  printf '%s/tfplugindocs\n' "$folder"
}

# Says what the signer of certificate requests would read in mutated ones.
build_certificate-requests() {
  local folder
  folder=$(go_programs certificate-requests "$here/go/certificate-requests" '' lab.local/certificate-requests)
  printf '%s/certificate-requests\n' "$folder"
}

# Something to compare with.
build_terraform-provider-tls() {
  local folder
  folder=$(go_programs terraform-provider-tls "$here/go/terraform-provider-tls" '' github.com/hashicorp/terraform-provider-tls)
  printf '%s/terraform-provider-tls\n' "$folder"
}

# Something to compare with; ten minutes.
build_kops() {
  local folder
  folder=$(go_programs kops "$here/go/kops" '' k8s.io/kops/cmd/kops)
  printf '%s/kops\n' "$folder"
}

case ${1:-} in
  '')
    find_terraform
    build_opentofu
    ;;
  --any)
    terraform=$(find_terraform)
    if [[ -n $terraform ]]; then
      printf '%s\n' "$terraform"
    else
      build_opentofu
    fi
    ;;
  *)
    for program in "$@"; do
      declare -F "build_$program" >/dev/null || die "there is no program '$program'; there are: opentofu zlint tfplugindocs certificate-requests terraform-provider-tls kops"
      "build_$program"
    done
    ;;
esac
