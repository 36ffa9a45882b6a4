#!/bin/sh
# Builds gVisor's runsc and runc from their Go modules for the tests, once: those of Debian 12 are too old to hold a
# sandbox. Does nothing without Go, or where they are there. A build that fails leaves their tests skipped, and says so.
set -u
directory=${CATTLEGRID_TEST_CACHE:-/var/cache/cattlegrid}
say() { echo "cattlegrid: $*" >&2; }

command -v go >/dev/null 2>&1 || exit 0
mkdir -p "$directory" 2>/dev/null && [ -w "$directory" ] || exit 0
building=
trap '[ -z "$building" ] || rm -rf "$building"' EXIT

# build NAME MODULE VERSION CGO TIME: what is to be built, with or without C, and how long it takes, for a reader.
build() {
  target=$directory/$1
  [ -x "$target" ] && [ "$(cat "$target.version" 2>/dev/null)" = "$3" ] && return 0
  say "building $1 for the tests (go install, about $5, once)"
  building=$(mktemp -d "$directory/building-XXXXXX") || return 0
  if GOBIN=$building GOFLAGS=-buildvcs=false CGO_ENABLED=$4 \
    timeout 300 go install -tags seccomp "$2@$3" >"$building/log" 2>&1; then
    chmod 755 "$directory" "$building/$1"
    mv "$building/$1" "$target" && echo "$3" >"$target.version"
  else
    say "$1 was not built, so its tests are skipped: $(tail -n 1 "$building/log")"
  fi
  rm -rf "$building"
  building=
}

build runsc gvisor.dev/gvisor/runsc v0.0.0-20260905035102-160fafc42237 0 "two minutes"
build runc github.com/opencontainers/runc v1.5.3 1 "a quarter of a minute"
exit 0
