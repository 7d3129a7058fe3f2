# shellcheck shell=bash
# Sourced. Builds Go programs out of the module proxy into the cache. Needs cache.sh.

# go_programs PIECE MODULE_FOLDER OPTIONS [OUTPUT_NAME=]PACKAGE...
# MODULE_FOLDER holds the go.mod and go.sum which pin every source file, and perhaps sources of its own. OPTIONS is one string of words:
#   cgo          with cgo and a C compiler (default: without)
#   tags=a,b     build tags
#   static       link C libraries statically
#   tests        the packages' tests, each as a program called after its package: <name>.test
#   X=name=value stamp a variable
# Prints the folder with the programs.
go_programs() {
  local piece=$1 module_folder=$2 options=$3
  shift 3
  command -v go >/dev/null || die "$piece: Go is needed to build it (package golang, or https://go.dev/dl)"
  local key
  key=$({
    GOTOOLCHAIN=local go env GOVERSION
    cat "$module_folder"/go.* "$module_folder"/*.go "$module_folder"/*/*/*.go 2>/dev/null || true # go.mod and go.sum pin the rest
    printf '%s\n' "$options" "$@"
  } | cache_key)
  cache_piece "go-$piece" "$key" go_programs_build "$module_folder" "$options" "$#" "$@"
}

# The builder behind go_programs: MODULE_FOLDER OPTIONS PACKAGE_COUNT PACKAGE... OUTPUT_FOLDER
go_programs_build() {
  local module_folder=$1 options=$2 count=$3
  shift 3
  local programs=("${@:1:count}") output=${!#}
  local tags='' link='-s -w' cgo=0 build=(build) word
  for word in $options; do
    case $word in
      cgo) cgo=1 ;;
      tests) build=(test -c -vet=off) ;;
      static) link+=' -extldflags -static' ;;
      tags=*) tags=${word#tags=} ;;
      X=*) link+=" -X ${word#X=}" ;;
      *) die "unknown option of a Go build: $word" ;;
    esac
  done
  # All packages in one call: the compiler then works on all of them at once.
  local proxy
  proxy=$(go env GOPROXY)
  (
    cd "$module_folder" || exit
    # Only the proxy, never a version control system; only the Go that is installed.
    CGO_ENABLED=$cgo GOTOOLCHAIN=local GOPROXY=${proxy%%,*} GOFLAGS="-p=$(nproc) -mod=readonly -buildvcs=false" \
      nice -n "${LAB_NICE:-0}" go "${build[@]}" -trimpath -tags "$tags" -ldflags "$link" -o "$output/" "${programs[@]#*=}"
  )
  # The compiler names a program after its package; rename those which were given a name.
  local program package
  for program in "${programs[@]}"; do
    [[ $program == *=* ]] || continue
    package=${program#*=}
    package=${package%/v[0-9]*}
    mv "$output/$(basename "$package")" "$output/${program%%=*}"
  done
}
