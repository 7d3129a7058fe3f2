#!/bin/sh
# expire.sh CERTIFICATE KEY AUTHORITY: on a host. Puts a certificate in place of CERTIFICATE that says the same and expired in 2020. The
# key of the authority comes on standard input.
set -eu
certificate=$1 key=$2 authority=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/authority.key"
cd "$folder"
: >index
echo 01 >serial
cat >openssl.cnf <<'EOF'
[ca]
default_ca = expired
[expired]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
copy_extensions = copyall
[any]
organizationName = optional
commonName = supplied
EOF
openssl x509 -x509toreq -copy_extensions copy -in "$certificate" -signkey "$key" -out request 2>/dev/null
openssl ca -batch -config openssl.cnf -cert "$authority" -keyfile authority.key -in request -out expired -notext \
  -startdate 20200101000000Z -enddate 20200102000000Z 2>errors || { cat errors >&2; exit 1; }
cat expired >"$certificate"
