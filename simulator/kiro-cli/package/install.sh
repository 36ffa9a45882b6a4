#!/usr/bin/env bash
# Copies the Kiro CLI SIMULATOR from its unpacked package to ~/.local.
set -euo pipefail

confirm=yes
for argument in "$@"; do
    case "$argument" in
        --no-confirm) confirm="" ;;
        --force) ;;
        *)
            printf 'error: unknown option: %s\n' "$argument" >&2
            exit 1
            ;;
    esac
done

package="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
bin="$HOME/.local/bin"
program="$HOME/.local/libexec/kiro-cli-simulator"

if [ -n "$confirm" ]; then
    printf 'Install the Kiro CLI simulator to %s? [y/N] ' "$bin"
    read -r answer
    [ "$answer" = y ] || exit 1
fi

# Running programs keep their old files: each is removed or renamed over, never written into.
rm -rf -- "$program"
mkdir -p "$bin" "$program"
cp -R "$package/libexec/." "$program/"
for name in kiro-cli kiro-cli-chat kiro-cli-term; do
    cp "$package/bin/$name" "$bin/.$name.new"
    chmod 755 "$bin/.$name.new"
    mv -f "$bin/.$name.new" "$bin/$name"
done
printf '#!/bin/sh\nexec "$(dirname "$0")/kiro-cli" "$@"\n' >"$bin/q"
printf '#!/bin/sh\nexec "$(dirname "$0")/kiro-cli" chat "$@"\n' >"$bin/qchat"
chmod 755 "$bin/q" "$bin/qchat"

echo "✓ Kiro CLI simulator installed in $bin (a stand-in: it is not Kiro)"
