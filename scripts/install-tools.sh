#!/usr/bin/env bash
# Install what bootfleet needs on a Debian machine, and say what is installed. With the argument `demo` only what
# the demo needs; otherwise also what the tests talk to.
# Idempotent: a second run with everything present touches nothing and needs no network.
# Debian's released suites carry a nats-server older than the floor in controller/store/server-floor.ts,
# so its binary is taken from Debian's unstable suite into .cache/tools, leaving apt's own sources alone.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '» %s\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

node_major_minor() { node -p 'process.versions.node.split(".").slice(0,2).map(Number).join(" ")' 2>/dev/null || echo "0 0"; }
read -r major minor <<<"$(node_major_minor)"
if (( major < 20 || (major == 20 && minor < 19) )); then
  fail "bootfleet needs Node 20.19 or newer, found '$(node --version 2>/dev/null || echo none)': install it (Debian 13: apt-get install nodejs npm) and run this again"
fi

SUDO=()
if [[ $(id -u) != 0 ]]; then
  command -v sudo >/dev/null || fail "installing packages needs root and sudo is not there: run as root"
  SUDO=(sudo)
fi

apt_ready=
apt_refresh() {
  [[ -n $apt_ready ]] && return
  say "apt-get update"
  "${SUDO[@]}" apt-get update -qq
  apt_ready=1
}

declare -A package_of=(
  [git]=git [podman]=podman [skopeo]=skopeo [buildah]=buildah [btrfs]=btrfs-progs
  [docker-registry]=docker-registry [mount]=mount [flock]=util-linux
)
[[ ${1:-} == demo ]] || package_of+=([openssl]=openssl [sshd]=openssh-server [base32]=coreutils)
missing=()
for tool in "${!package_of[@]}"; do
  PATH="$PATH:/usr/sbin:/sbin" command -v "$tool" >/dev/null || missing+=("${package_of[$tool]}")
done
if (( ${#missing[@]} )); then
  command -v apt-get >/dev/null || fail "missing ${missing[*]}, and this is not a Debian machine (no apt-get): install them by hand"
  apt_refresh
  say "installing from Debian: ${missing[*]}"
  # The packages' own services would hold ports and stores, and nobody asked for an open ssh port: they are kept
  # from starting, now and at the next boot. One that was here before is left alone.
  policy=
  if [[ ! -e /usr/sbin/policy-rc.d ]]; then
    policy=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' | "${SUDO[@]}" tee /usr/sbin/policy-rc.d >/dev/null
    "${SUDO[@]}" chmod 755 /usr/sbin/policy-rc.d
    trap '"${SUDO[@]}" rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  log=$(mktemp)
  if ! DEBIAN_FRONTEND=noninteractive "${SUDO[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
    cat "$log" >&2
    fail "apt-get install ${missing[*]} failed; see above"
  fi
  rm -f "$log"
  for package in docker-registry openssh-server; do
    [[ " ${missing[*]} " == *" $package "* ]] || continue
    "${SUDO[@]}" systemctl disable --quiet --now "${package/openssh-server/ssh}.service" 2>/dev/null || true
  done
  if [[ -n $policy ]]; then
    "${SUDO[@]}" rm -f "$policy"
    trap - EXIT
  fi
fi

tools=$PWD/.cache/tools
# The floor is judged by the controller itself; here it is enough that a copy of ours runs.
if ! "$tools/nats-server" --version >/dev/null 2>&1; then
  command -v apt-get >/dev/null || fail "no nats-server in $tools, and this is not a Debian machine: put nats-server 2.14.3 or newer there"
  say "fetching nats-server from Debian's unstable suite into .cache/tools"
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  mkdir -p "$scratch"/{state/lists/partial,cache/archives/partial,etc} "$tools"
  : >"$scratch/state/status"
  uri=$( (awk '/^URIs:/ {print $2}' /etc/apt/sources.list.d/debian.sources 2>/dev/null
          awk '$1=="deb" {for (i=2;i<=NF;i++) if ($i ~ /^https?:/) {print $i; break}}' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null) \
        | grep -E '/debian/?$' | head -n 1 || true)
  [[ -n $uri ]] || fail "no Debian archive found in apt's sources: put nats-server 2.14.3 or newer into $tools"
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [[ -f $keyring ]] || fail "$keyring is missing: apt-get install debian-archive-keyring"
  printf 'deb [signed-by=%s] %s sid main\n' "$keyring" "$uri" >"$scratch/etc/sources.list"
  cat >"$scratch/apt.conf" <<CONF
Dir::State "$scratch/state";
Dir::State::Lists "$scratch/state/lists";
Dir::State::Status "$scratch/state/status";
Dir::Cache "$scratch/cache";
Dir::Etc::SourceList "$scratch/etc/sources.list";
Dir::Etc::SourceParts "-";
APT::Sandbox::User "root";
CONF
  (cd "$scratch" && APT_CONFIG="$scratch/apt.conf" apt-get update -qq && APT_CONFIG="$scratch/apt.conf" apt-get download -qq nats-server)
  dpkg-deb -x "$scratch"/nats-server_*.deb "$scratch/root"
  # Moved into place whole, so that an interrupted run never leaves half a binary.
  cp "$(find "$scratch/root" -type f -name nats-server | head -n 1)" "$tools/nats-server.new"
  "$tools/nats-server.new" --version >&2 || fail "the fetched nats-server does not run here"
  mv "$tools/nats-server.new" "$tools/nats-server"
fi

# A static busybox goes into the small images of `bootfleet dev`. It is unpacked, not installed: Debian's
# busybox-static would replace the busybox that this machine's initramfs may use.
if ! "$tools/busybox" true >/dev/null 2>&1; then
  command -v apt-get >/dev/null || fail "no busybox in $tools, and this is not a Debian machine: put a statically linked busybox there"
  apt_refresh
  say "fetching a static busybox from Debian into .cache/tools"
  unpacked=$(mktemp -d)
  chmod 755 "$unpacked"
  (cd "$unpacked" && apt-get -o APT::Sandbox::User=root download -qq busybox-static && dpkg-deb -x busybox-static_*.deb root)
  mkdir -p "$tools"
  cp "$(find "$unpacked/root" -path "*/bin/busybox" | head -n 1)" "$tools/busybox.new"
  "$tools/busybox.new" true || fail "the fetched busybox does not run here"
  mv "$tools/busybox.new" "$tools/busybox"
  rm -rf "$unpacked"
fi

# npm ci only when the lock file is newer than what is installed.
if [[ ! -f node_modules/.package-lock.json || package-lock.json -nt node_modules/.package-lock.json ]]; then
  say "npm ci"
  npm ci --no-audit --no-fund --loglevel=error >&2
  touch node_modules/.package-lock.json
fi
