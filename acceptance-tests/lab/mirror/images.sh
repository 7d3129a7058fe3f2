# shellcheck shell=bash
# Sourced by build.sh. The images of the registry, one piece a function.
# shellcheck disable=SC2154 # build.sh and programs.sh say where things are and which versions they have

# image REFERENCE SOURCE=DESTINATION... [OPTION VALUE]...: see image.py.
image() {
  local reference=$1 folder key name=${1%:*}
  key=$(printf '%s\n' "$@" "$(sha256sum < "$here/image.py")" | cache_key) # the sources are pieces, their paths hold their keys
  folder=$(cache_piece "image-${name##*/}" "$key" make_image "$@")
  mkdir -p "$registry/blobs/sha256" "$registry/tags/$name"
  ln -f "$folder"/blobs/sha256/* "$registry/blobs/sha256/"
  ln -f "$folder/tags/$name/${reference##*:}" "$registry/tags/$name/"
}

make_image() { # REFERENCE SOURCE=DESTINATION... [OPTION VALUE]... FOLDER
  python3 "$here/image.py" "${!#}" "${@:1:$#-1}"
}

piece_pause() {
  local pause
  pause=$(programs_pause)
  image registry.k8s.io/pause:3.10.1 "$pause/pause=bin/pause" --entrypoint /bin/pause
}

# With a shell, ping and the like for `kubectl exec`.
piece_echo() {
  local echo busybox
  echo=$(programs_echo)
  busybox=$(busybox)
  image lab.local/echo:1 "$echo/echo=bin/echo-http" "$busybox/busybox=bin/busybox" --entrypoint /bin/echo-http
}

# Prints the folder with the program of the same name.
busybox() {
  static_program busybox-static busybox
}

# static_program PACKAGE NAME: prints a folder with the program /bin/NAME of a Debian package.
static_program() {
  local key
  key=$(printf '%s\n' "$@" | cache_key)
  cache_piece "$1" "$key" fetch_static_program "$@"
}

fetch_static_program() ( # PACKAGE NAME FOLDER
  cd "$3" || exit
  # apt fetches as a user of its own where it can, who may not write here: hence the option.
  apt-get -q -o APT::Sandbox::User=root download "$1"
  dpkg-deb --fsys-tarfile "$1"_*.deb | tar -x --to-stdout --wildcards "*/bin/$2" > "$2"
  chmod 755 "$2"
  rm -f "$1"_*.deb
)

piece_coredns() {
  local coredns
  coredns=$(programs_coredns)
  image "registry.k8s.io/coredns/coredns:$coredns_version" "$coredns/coredns=coredns" --entrypoint /coredns
}

piece_metrics-server() {
  local metrics_server
  metrics_server=$(programs_metrics_server)
  image "registry.k8s.io/metrics-server/metrics-server:$metrics_server_version" \
    "$metrics_server/metrics-server=metrics-server" --entrypoint /metrics-server
}

# When asked for only: no test of the usual ones needs it.
piece_cloud-controller() {
  local programs
  programs=$(programs_cloud_controller)
  image "registry.k8s.io/provider-aws/cloud-controller-manager:$cloud_controller_version" \
    "$programs/aws-cloud-controller-manager=bin/aws-cloud-controller-manager" --entrypoint /bin/aws-cloud-controller-manager
}

# With nft and iptables, in the variant which writes nftables as the hosts' own does. The backends that call strongSwan and WireGuard
# lack their programs.
piece_flannel() {
  local flannel plugin root busybox
  flannel=$(programs_flannel)
  root=$(debian_root flannel nftables iptables)
  image "ghcr.io/flannel-io/flannel:$flannel_version" "$root=" "$flannel/flanneld=opt/bin/flanneld" \
    "$flannel/install-conf=opt/bin/install-conf" --entrypoint /opt/bin/flanneld
  plugin=$(programs_flannel_cni)
  busybox=$(busybox)
  image "ghcr.io/flannel-io/flannel-cni-plugin:$flannel_cni_tag" "$plugin/flannel=flannel" "$busybox/busybox=bin/busybox"
}

# debian_root NAME PACKAGE...: prints a folder with the files of these packages and of all that they depend on, of the Debian which
# this machine has. No package's script has run in it, so what alternatives choose is chosen here.
debian_root() {
  local name=$1 release key
  shift
  release=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
  key=$(printf '%s\n' "$release" "$@" "$(declare -f make_debian_root)" | cache_key)
  cache_piece "debian-$name" "$key" make_debian_root "$@"
}

make_debian_root() ( # PACKAGE... FOLDER
  local root unwanted folder archive choice link
  root=${!#}
  # Perl is what packages' scripts are written in.
  unwanted=(share/{doc,info,lintian,locale,man,perl,perl5} 'lib/*/perl' 'lib/*/perl-base')
  mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64" "$root/.archives/partial"
  for folder in bin sbin lib lib64; do
    ln -s "usr/$folder" "$root/$folder"
  done
  # As on a machine that has nothing, so that no dependency counts as there.
  apt-get -q -y -o APT::Sandbox::User=root -o Dir::State::status=/dev/null -o Dir::Cache::archives="$root/.archives" \
    --no-install-recommends --download-only install "${@:1:$#-1}"
  for archive in "$root"/.archives/*.deb; do
    dpkg-deb --fsys-tarfile "$archive" | tar -x --directory "$root" --keep-directory-symlink "${unwanted[@]/#/--exclude=./usr/}"
  done
  rm -rf "$root/.archives"
  for choice in usr/bin/{nc=nc.openbsd,awk=mawk} usr/sbin/{iptables,ip6tables}{,-save,-restore}=xtables-nft-multi; do
    link=$root/${choice%=*}
    [[ ! -e ${link%/*}/${choice#*=} ]] || ln -s "${choice#*=}" "$link"
  done
)
