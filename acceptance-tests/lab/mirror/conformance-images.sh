# shellcheck shell=bash
# Sourced by build.sh. What Kubernetes' own conformance tests need: the tests, and the images that they ask for by these references
# (test/utils/image/manifest.go of the version of Kubernetes). acceptance-tests/conformance.sh runs them.
# shellcheck disable=SC2154 # build.sh and programs.sh say where things are and which versions they have

piece_conformance() {
  release conformance "dl.k8s.io/release/$kubernetes_version/kubernetes-test-linux-amd64.tar.gz" build_conformance
  conformance_agnhost
  conformance_small
  conformance_nginx
  conformance_sample_apiserver
}

build_conformance() {
  local programs tests
  programs=$(programs_conformance)
  tests=$(programs_conformance_tests)
  mkdir "$1.programs"
  ln "$programs/ginkgo" "$tests/e2e.test" "$1.programs/"
  pack "$1" "$1.programs" kubernetes/test/bin ginkgo e2e.test
  rm -rf "$1.programs"
}

# The program of most tests, and the images made from it. They share a layer with the tools that tests run in it.
conformance_agnhost() {
  local root programs files agnhost image
  root=$(debian_root conformance bash bind9-dnsutils coreutils curl dash findutils grep gzip hostname iproute2 iputils-ping libc-bin \
    netcat-openbsd procps sed tar util-linux wget)
  programs=$(programs_conformance)
  files=$(conformance_files)
  agnhost=("$root=" "$files/agnhost=" "$programs/agnhost=agnhost")
  for image in agnhost:2.63.0 agnhost:2.55; do
    image "$e2e/$image" "${agnhost[@]}" --entrypoint /agnhost --command pause
  done
  for image in nautilus kitten; do
    image "$e2e/$image:1.8" "${agnhost[@]}" "$files/$image.json=data.json" "$files/os-release=etc/os-release" \
      --entrypoint /agnhost --command test-webserver
  done
  image "$e2e/glibc-dns-testing:2.0.0" "$root="
  image "$e2e/nonroot:1.5" "$root=" --user 1234
}

conformance_small() {
  local busybox bash shell pause nonewprivs etcd
  busybox=$(busybox)
  bash=$(static_program bash-static bash-static)
  shell=$(programs_shell)
  image "$e2e/busybox:1.37.0-1" "$busybox/busybox=bin/busybox" "$bash/bash-static=bin/bash" "$shell/shell=bin/sh" --command sh
  pause=$(programs_pause)
  image registry.k8s.io/pause:3.10.2 "$pause/pause=pause" --entrypoint /pause --user 65535:65535
  nonewprivs=$(conformance_files)
  image "$e2e/nonewprivs:1.4" "$busybox/busybox=bin/busybox" "$nonewprivs/nnp=usr/local/bin/nnp" --command nnp
  etcd=$(programs_etcd)
  image registry.k8s.io/etcd:3.6.8-0 "$etcd/etcd=usr/local/bin/etcd" "$etcd/etcdctl=usr/local/bin/etcdctl"
}

# Two versions for updates from one to the other; here they differ in the tag alone.
conformance_nginx() {
  local root files busybox tag
  root=$(debian_root nginx nginx)
  files=$(conformance_files)
  busybox=$(busybox)
  for tag in 1.15-4 1.27-0; do
    image "$e2e/nginx:$tag" "$root=" "$files/nginx=" "$busybox/busybox=usr/bin/busybox" \
      --entrypoint '/usr/sbin/nginx -c /etc/nginx/lab.conf'
  done
}

conformance_sample_apiserver() {
  local programs
  programs=$(programs_sample_apiserver)
  image "$e2e/sample-apiserver:1.29.2" "$programs/sample-apiserver=sample-apiserver" --entrypoint /sample-apiserver
}

# Prints a folder with what the images hold beside programs and packages.
conformance_files() {
  local program key
  program=$(programs_nonewprivs)
  key=$(printf '%s\n' "$program" "$(declare -f make_conformance_files)" | cache_key)
  cache_piece conformance-files "$key" make_conformance_files "$program"
}

make_conformance_files() { # FOLDER_WITH_NNP FOLDER
  local program=$1 folder=$2
  mkdir -p "$folder/agnhost/etc" "$folder/agnhost/uploads" "$folder/nginx/etc/nginx" "$folder/nginx/var/log/nginx" \
    "$folder/nginx/var/lib/nginx" "$folder/nginx/usr/share/nginx/html"
  ln -s agnhost "$folder/agnhost/agnhost-2" # for tests of the entrypoint
  # The user and the group which tests of supplementary groups expect in the image.
  cat > "$folder/agnhost/etc/passwd" << 'PASSWD'
root:x:0:0:root:/root:/bin/bash
nobody:x:65534:65534:nobody:/:/bin/false
user-defined-in-image:x:1000:1000::/home/user-defined-in-image:/bin/bash
PASSWD
  cat > "$folder/agnhost/etc/group" << 'GROUP'
root:x:0:
nogroup:x:65534:
user-defined-in-image:x:1000:
group-defined-in-image:x:50000:user-defined-in-image
GROUP
  # A test reaches agnhost's porter over HTTPS through the API server, which verifies nothing.
  openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1 \
    -days 36500 -keyout "$folder/agnhost/localhost.key" -out "$folder/agnhost/localhost.crt"
  chmod 644 "$folder/agnhost/localhost.key"
  printf '{ "image": "nautilus.jpg" }\n' > "$folder/nautilus.json"
  printf '{ "image": "kitten.jpg" }\n' > "$folder/kitten.json"
  # A test of image volumes reads in it which system the image was made of.
  printf 'PRETTY_NAME="Debian in place of Alpine Linux"\n' > "$folder/os-release"
  printf '<h1>Welcome to nginx!</h1>\n' > "$folder/nginx/usr/share/nginx/html/index.html"
  cat > "$folder/nginx/etc/nginx/lab.conf" << 'NGINX'
user nobody nogroup;
daemon off;
pid /tmp/nginx.pid;
error_log /dev/stderr;
events {}
http {
  access_log /dev/stdout;
  server {
    listen 80;
    listen [::]:80;
    root /usr/share/nginx/html;
  }
}
NGINX
  cp "$program/nonewprivs" "$folder/nnp"
  chmod 6755 "$folder/nnp"
}
