#!/bin/sh
# Builds gVisor's runsc from its Go module for the tests, once: Debian 12's package is too old to hold a sandbox.
# Does nothing without Go, or when one is there. A build that fails leaves the tests of gVisor skipped, and says so.
set -u
version=v0.0.0-20260905035102-160fafc42237
directory=${CATTLEGRID_TEST_CACHE:-/var/cache/cattlegrid}
target=$directory/runsc
say() { echo "cattlegrid: $*" >&2; }

[ -x "$target" ] && [ "$(cat "$target.version" 2>/dev/null)" = "$version" ] && exit 0
command -v go >/dev/null 2>&1 || exit 0
mkdir -p "$directory" 2>/dev/null && [ -w "$directory" ] || exit 0
say "building gVisor's runsc for the tests (go install, about two minutes, once)"
building=$(mktemp -d "$directory/building-XXXXXX") || exit 0
trap 'rm -rf "$building"' EXIT
if GOBIN=$building GOFLAGS=-buildvcs=false CGO_ENABLED=0 \
  timeout 300 go install "gvisor.dev/gvisor/runsc@$version" >"$building/log" 2>&1; then
  chmod 755 "$directory" "$building/runsc"
  mv "$building/runsc" "$target" && echo "$version" >"$target.version"
else
  say "runsc was not built, so the tests of gVisor are skipped: $(tail -n 1 "$building/log")"
fi
exit 0
