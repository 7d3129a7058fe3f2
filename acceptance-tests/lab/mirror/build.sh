#!/usr/bin/env bash
# build.sh [PIECE...]: puts real programs into the mirror and images into the registry, both in the cache. Pieces:
#   etcd cni runc containerd kubernetes pause echo coredns metrics-server flannel      (all of them, if none is named)
#   kubeadm conformance cloud-controller                                               (only when named)
# A program comes from where it is published when that answers, else it is built from Go modules, which takes some 25 minutes for
# all on two cores. LAB_MIRROR_SOURCE=build or =download allows only one of the two. Prints the mirror's folder and the registry's.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=../cache.sh
. "$here/../cache.sh"
# shellcheck source=../go-build.sh
. "$here/../go-build.sh"
# shellcheck source=programs.sh
. "$here/programs.sh"
# shellcheck source=images.sh
. "$here/images.sh"
# shellcheck source=conformance-images.sh
. "$here/conformance-images.sh"

mirror=$(cache_root)/mirror
registry=$(cache_root)/registry
github=github.com
e2e=registry.k8s.io/e2e-test-images

all_pieces=(etcd cni runc containerd kubernetes pause echo coredns metrics-server flannel)

# --- files of the mirror

# fetch_release URL_WITHOUT_SCHEME FILE: fetches one published file. Fails quickly where there is no way to the origin.
fetch_release() {
  [[ ${LAB_MIRROR_SOURCE:-auto} != build ]] || return 1
  say "fetching https://$1"
  curl -fsSL --connect-timeout 4 --speed-limit 1000 --speed-time 20 -o "$2" "https://$1"
}

# pack ARCHIVE PROGRAM_FOLDER INNER_FOLDER PROGRAM...: an archive which holds the programs in INNER_FOLDER. Owned by root and without
# times, so the same programs make the same archive. Compressed lightly, for hosts unpack it over and over.
pack() {
  local archive=$1 program_folder=$2 inner_folder=$3
  shift 3
  local content=$archive.content
  mkdir -p "$content/$inner_folder"
  (cd "$program_folder" && ln "$@" "$content/$inner_folder/")
  tar --create --directory "$content" --sort name --owner 0 --group 0 --numeric-owner --mtime @0 --mode 755 "${inner_folder%%/*}" |
    gzip -1 -n > "$archive"
  rm -rf "$content"
}

# release MODULE PATH BUILDER: adds the file PATH (<origin host>/<path>) to the mirror. BUILDER FILE makes it, from go/MODULE, when it
# cannot be fetched.
release() {
  local module=$1 path=$2 builder=$3 folder key
  key=$({
    printf '%s\n' "$packing" "$path"
    cat "$modules/$module/go.mod" "$modules/$module/go.sum"
  } | cache_key)
  folder=$(cache_piece "release-$(basename "$path")" "$key" make_release "$path" "$builder")
  mkdir -p "$mirror/$(dirname "$path")" "$mirror/.sums"
  ln -f "$folder/file" "$mirror/$path"
  printf '%s  %s\n' "$(< "$folder/sha256")" "$path" > "$mirror/.sums/${path//\//_}"
}

# Raise this when the packing of archives changes.
packing=2

make_release() {
  local path=$1 builder=$2 folder=$3
  # shellcheck disable=SC2310 # whether it can be fetched is the question
  if ! fetch_release "$path" "$folder/file"; then
    [[ ${LAB_MIRROR_SOURCE:-auto} != download ]] || die "cannot fetch $path"
    rm -f "$folder/file"
    "$builder" "$folder/file"
  fi
  chmod 644 "$folder/file"
  sha256sum "$folder/file" | cut -d ' ' -f 1 > "$folder/sha256"
}

# The names of the programs are the names of the files.
piece_kubernetes() {
  local program
  for program in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
    kubernetes_program=$program
    release kubernetes "dl.k8s.io/release/$kubernetes_version/bin/linux/amd64/$program" build_kubernetes
  done
}

piece_kubeadm() {
  release kubernetes "dl.k8s.io/release/$kubernetes_version/bin/linux/amd64/kubeadm" build_kubeadm
}

piece_etcd() {
  release etcd "$github/etcd-io/etcd/releases/download/$etcd_version/etcd-$etcd_version-linux-amd64.tar.gz" build_etcd
}

piece_containerd() {
  release containerd \
    "$github/containerd/containerd/releases/download/v$containerd_version/containerd-$containerd_version-linux-amd64.tar.gz" \
    build_containerd
}

piece_runc() {
  release runc "$github/opencontainers/runc/releases/download/v$runc_version/runc.amd64" build_runc
}

piece_cni() {
  release cni "$github/containernetworking/plugins/releases/download/$cni_version/cni-plugins-linux-amd64-$cni_version.tgz" build_cni
}

build_kubernetes() { copy_program programs_kubernetes "$kubernetes_program" "$1"; }
build_kubeadm() { copy_program programs_kubeadm kubeadm "$1"; }
build_runc() { copy_program programs_runc runc "$1"; }

copy_program() { # FUNCTION NAME FILE
  local folder
  folder=$("$1")
  cp "$folder/$2" "$3"
}

build_etcd() {
  local folder
  folder=$(programs_etcd)
  pack "$1" "$folder" "etcd-$etcd_version-linux-amd64" etcd etcdctl etcdutl
}

build_containerd() {
  local folder
  folder=$(programs_containerd)
  pack "$1" "$folder" bin containerd containerd-shim-runc-v2 ctr
}

build_cni() {
  local folder programs
  folder=$(programs_cni)
  mapfile -t programs < <(ls "$folder")
  pack "$1" "$folder" . "${programs[@]}"
}

# ---

pieces=("$@")
((${#pieces[@]})) || pieces=("${all_pieces[@]}")
mkdir -p "$mirror" "$registry/tags"
for piece in "${pieces[@]}"; do
  declare -F "piece_$piece" >/dev/null || die "there is no piece '$piece'; there are: ${all_pieces[*]} kubeadm conformance cloud-controller"
  "piece_$piece"
  # After each piece, so that an unfinished mirror can be used already.
  cat "$mirror"/.sums/* > "$mirror/SHA256SUMS.$$" 2>/dev/null || true
  mv "$mirror/SHA256SUMS.$$" "$mirror/SHA256SUMS"
done
printf '%s\n' "$mirror" "$registry"
