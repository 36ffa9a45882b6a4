#!/usr/bin/env bash
# Installs the Kiro CLI SIMULATOR: served by a simulated Kiro cloud in place of Kiro's own installer.
# It follows the published behaviour of that installer (hosts, files, checks, messages) in its own words.

if [ -z "${BASH_VERSION:-}" ]; then
    echo "error: this installer needs bash" >&2
    exit 1
fi

set -euo pipefail

readonly SOURCE="https://prod.download.cli.kiro.dev/stable/latest"
readonly TARGET="$HOME/.local/bin"

force=""
work=""
finished=""

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

clean_up() {
    local status=$?
    if [ -z "$finished" ]; then
        echo "❌ Installation failed. Cleaning up..." >&2
    fi
    if [ -n "$work" ]; then
        rm -rf -- "$work"
    fi
    exit "$status"
}

read_arguments() {
    local argument
    for argument in "$@"; do
        case "$argument" in
            --force | -f) force="--force" ;;
            --help | -h)
                echo "Usage: install [--force]"
                finished=yes
                exit 0
                ;;
            *) fail "unknown option: $argument" ;;
        esac
    done
}

require() {
    command -v "$1" >/dev/null 2>&1 || fail "'$1' is needed and was not found"
}

architecture() {
    case "$(uname -m)" in
        x86_64 | amd64) echo x86_64 ;;
        aarch64 | arm64) echo aarch64 ;;
        *) fail "unsupported architecture: $(uname -m)" ;;
    esac
}

# The glibc build of x86_64 wants 2.34, that of aarch64 wants 2.39; everything else takes musl.
libc() {
    local text version major minor wanted=34
    if [ "$1" = aarch64 ]; then
        wanted=39
    fi
    text="$(ldd --version 2>&1 | head -n 1 || true)"
    version="$(printf '%s' "$text" | grep -oE '[0-9]+\.[0-9]+' | tail -n 1 || true)"
    major="${version%%.*}"
    minor="${version#*.}"
    case "$text" in
        *musl*) echo musl ;;
        *)
            if [ -n "$version" ] && { [ "$major" -gt 2 ] || [ "$minor" -ge "$wanted" ]; }; then
                echo gnu
            else
                echo musl
            fi
            ;;
    esac
}

# Reads one text field of the headless zip package for a target triple.
manifest_field() {
    tr -d ' \n' <"$work/manifest.json" | tr '{' '\n' |
        grep -F "\"targetTriple\":\"$1\"" | grep -F '"fileType":"zip"' | head -n 1 |
        sed -n "s/.*\"$2\":\"\([^\"]*\)\".*/\1/p" || true
}

sha256_of() {
    if command -v sha256sum >/dev/null 2>&1; then
        sha256sum "$1" | cut -d ' ' -f 1
    else
        shasum -a 256 "$1" | cut -d ' ' -f 1
    fi
}

ask_to_replace() {
    if [ ! -e "$TARGET/kiro-cli" ] || [ -n "$force" ]; then
        return 0
    fi
    local answer=""
    if ! { exec 3<>/dev/tty; } 2>/dev/null; then
        fail "Kiro CLI is already installed; pass --force to replace it"
    fi
    printf 'Kiro CLI is already installed. Replace it? [y/N] ' >&3
    read -r answer <&3 || true
    exec 3>&-
    case "$answer" in
        y | Y | yes) force="--force" ;;
        *)
            echo "Nothing was changed."
            finished=yes
            exit 0
            ;;
    esac
}

main() {
    read_arguments "$@"
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    echo "Kiro CLI installer:"
    require curl
    require unzip
    ask_to_replace

    local machine triple path expected actual
    machine="$(architecture)"
    triple="$machine-unknown-linux-$(libc "$machine")"
    work="$(mktemp -d)"

    echo "Downloading package..."
    curl -fsSL "$SOURCE/manifest.json" -o "$work/manifest.json" || fail "the manifest could not be downloaded"
    path="$(manifest_field "$triple" download)"
    expected="$(manifest_field "$triple" sha256)"
    if [ -z "$path" ] || [ -z "$expected" ]; then
        fail "no package for $triple"
    fi
    curl -fsSL "$SOURCE/${path##*/}" -o "$work/kirocli.zip" || fail "the package could not be downloaded"
    actual="$(sha256_of "$work/kirocli.zip")"
    if [ "$actual" != "$expected" ]; then
        fail "the package's checksum is $actual, the manifest says $expected"
    fi
    unzip -q "$work/kirocli.zip" -d "$work" || fail "the package could not be unpacked"
    rm -f -- "$work/kirocli.zip"
    echo "✓ Downloaded and extracted"
    bash "$work/kirocli/install.sh" --no-confirm $force
    finished=yes
}

main "$@"
