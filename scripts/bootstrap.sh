#!/bin/sh
# Brings a fresh clone to the state in which it runs: npm packages (Node.js 24 among them) and system parts.
# Says on stderr what it does; silent and quick when there is nothing to do. Exit 125: something is missing.
#   --test   also what only the tests need
set -u
cd "$(dirname "$0")/.." || exit 125
PATH=$PATH:/usr/sbin:/sbin
ready=node_modules/.cattlegrid-ready

say() { echo "cattlegrid: $*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }
exists() { [ -e "$1" ]; }

install_packages() {
  if ! has node || ! has npm; then
    say "Node.js with npm is needed once, to install Cattlegrid's own Node.js 24; version 20 is enough."
    return 125
  fi
  [ -x node_modules/node/bin/node ] && node scripts/is-installed.mjs && return 0
  say "installing npm packages, Node.js 24 among them (npm ci)"
  npm ci --no-audit --no-fund --no-update-notifier --loglevel=error >&2 || {
    say "npm ci failed; its output is above."
    return 125
  }
  [ -x node_modules/node/bin/node ] && return 0
  say "npm left out Node.js 24: its install scripts are switched off. Allow them once with"
  echo "  npm rebuild node --ignore-scripts=false" >&2
  return 125
}

missing=
# need PACKAGE PROBE…: adds the Debian package when the probe fails.
need() {
  package=$1
  shift
  "$@" || missing="$missing $package"
}

has_nftables() {
  for directory in /usr/lib/*-linux-* /usr/lib64 /usr/lib /lib/*-linux-*; do
    exists "$directory/libnftables.so.1" && return 0
  done
  return 1
}
has_namespace_tools() { has nsenter && has unshare && has setpriv && has setsid; }
# The sandbox shows the system's own python3, not one from pyenv that comes first on PATH.
has_python() { exists /usr/bin/python3; }
has_pip() {
  for directory in /usr/lib/python3*/dist-packages /usr/lib/python3*/site-packages; do
    exists "$directory/pip" && return 0
  done
  return 1
}
has_sftp_server() { exists /usr/lib/openssh/sftp-server || exists /usr/libexec/openssh/sftp-server; }
has_certificates() { exists /etc/ssl/certs/ca-certificates.crt || exists /etc/pki/tls/certs; }

find_missing() {
  need crun has crun
  need libnftables1 has_nftables
  need iproute2 has ip
  need util-linux has_namespace_tools
  need uidmap has newuidmap
  need unzip has unzip
  need bash has bash
  need curl has curl
  need git has git
  need ca-certificates has_certificates
  need python3 has_python
  need python3-pip has_pip
  [ "$1" = --test ] || return 0
  need tmux has tmux
  need zip has zip
  need mmdebstrap has mmdebstrap
  need skopeo has skopeo
  need umoci has umoci
  need gpg has gpg
  need zstd has zstd
  need xz-utils has xz
  need jq has jq
  need openssl has openssl
  need zsh has zsh
  need fish has fish
  need openssh-client has ssh
  need openssh-sftp-server has_sftp_server
  need rsync has rsync
  need postgresql-client has psql
  need gnome-keyring has gnome-keyring-daemon
  need libsecret-tools has secret-tool
  need dbus has dbus-run-session
  # A runc for the tests is built where there is Go.
  if has go && has cc; then
    need libseccomp-dev exists /usr/include/seccomp.h
    need pkg-config has pkg-config
  fi
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 \
    install -y --no-install-recommends "$@" >&2
}

apt_update() { apt-get -q -o DPkg::Lock::Timeout=120 update >&2; }

has_package_lists() {
  for list in /var/lib/apt/lists/*_Packages*; do
    exists "$list" && return 0
  done
  return 1
}

install_system_parts() {
  find_missing "${1-}"
  [ -z "$missing" ] && return 0
  if ! has apt-get; then
    say "these programs are missing (named as Debian packages):$missing"
    say "install them with this system's package manager, then run the command again."
    return 125
  fi
  if [ "$(id -u)" != 0 ]; then
    say "these system packages are missing:$missing. Install them with"
    echo "  sudo apt-get install -y --no-install-recommends$missing" >&2
    say "then run the command again."
    return 125
  fi
  say "installing system packages:$missing (apt-get)"
  has_package_lists || apt_update || return 125
  # shellcheck disable=SC2086 # one word per package
  apt_install $missing || { apt_update && apt_install $missing; } || {
    say "apt-get could not install:$missing; its output is above."
    return 125
  }
}

# Two first uses at once must not both empty node_modules.
if has flock; then
  exec 9<package.json
  flock 9
fi

install_packages || exit $?
if [ "$(uname -s)" = Linux ]; then
  install_system_parts "${1-}" || exit $?
else
  say "sandboxes on this machine need Linux; the command line itself works here."
fi
# The launcher looks at this file alone. Another user's checkout may refuse the write: then it looks again.
[ -f "$ready" ] && [ ! package-lock.json -nt "$ready" ] && exit 0
touch "$ready" 2>/dev/null || true
