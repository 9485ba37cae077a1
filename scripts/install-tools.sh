#!/usr/bin/env bash
# Install what bootfleet needs on a Debian machine, and say what is installed. With the argument `demo` only what
# the demo needs, with `web` also a browser for `make test-web`; otherwise also what the tests talk to.
# Idempotent: a second run with everything present touches nothing and needs no network.
# Debian's released suites carry a nats-server older than the floor in controller/store/server-floor.ts, and no or an
# older cosign, so their binaries are taken from other suites of Debian into .cache/tools, leaving apt's own sources alone.
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
  [docker-registry]=docker-registry [mount]=mount [flock]=util-linux [ssh-keygen]=openssh-client
)
[[ ${1:-} == demo ]] || package_of+=(
  [openssl]=openssl [sshd]=openssh-server [gpg]=gnupg [base32]=coreutils
  [sfdisk]=fdisk [mkfs.fat]=dosfstools [mcopy]=mtools [qemu-img]=qemu-utils [qemu-system-x86_64]=qemu-system-x86
  [mmdebstrap]=mmdebstrap [dmsetup]=dmsetup [zsh]=zsh [fish]=fish [swtpm]=swtpm [systemd-creds]=systemd
  [setfiles]=policycoreutils [matchpathcon]=selinux-utils [getfattr]=attr
  [grub-editenv]=grub-common [mkfs.ext4]=e2fsprogs [zstd]=zstd
)
[[ ${1:-} != web ]] || package_of+=([chromium]=chromium)
missing=()
for tool in "${!package_of[@]}"; do
  PATH="$PATH:/usr/sbin:/sbin" command -v "$tool" >/dev/null || missing+=("${package_of[$tool]}")
done
# Firmware is no program, and of GRUB's nothing is installed to a disk: these are what the tests make boot disks of.
[[ ${1:-} == demo || -e /usr/share/OVMF/OVMF_CODE_4M.fd ]] || missing+=(ovmf)
[[ ${1:-} == demo || -e /usr/lib/grub/i386-pc/boot.img ]] || missing+=(grub-pc-bin)
[[ ${1:-} == demo || -e /usr/lib/grub/x86_64-efi/normal.mod ]] || missing+=(grub-efi-amd64-bin)
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
scratch=
trap '[[ -z $scratch ]] || rm -rf "$scratch"' EXIT
# Unpack packages of another suite of Debian into $scratch/root, apart from apt's own sources and from this system.
unpack_from() { # SUITE WHAT-IS-NEEDED PACKAGE...
  local suite=$1 need=$2 uri keyring
  shift 2
  command -v apt-get >/dev/null || fail "no $1 in $tools, and this is not a Debian machine: put $need there"
  say "fetching $1 from Debian's suite $suite into .cache/tools"
  scratch=$(mktemp -d)
  mkdir -p "$scratch"/{state/lists/partial,cache/archives/partial,etc,debs} "$tools"
  : >"$scratch/state/status"
  uri=$( (awk '/^URIs:/ {print $2}' /etc/apt/sources.list.d/debian.sources 2>/dev/null
          awk '$1=="deb" {for (i=2;i<=NF;i++) if ($i ~ /^https?:/) {print $i; break}}' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null) \
        | grep -E '/debian/?$' | head -n 1 || true)
  [[ -n $uri ]] || fail "no Debian archive found in apt's sources: put $need into $tools"
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [[ -f $keyring ]] || fail "$keyring is missing: apt-get install debian-archive-keyring"
  printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$uri" "$suite" >"$scratch/etc/sources.list"
  cat >"$scratch/apt.conf" <<CONF
Dir::State "$scratch/state";
Dir::State::Lists "$scratch/state/lists";
Dir::State::Status "$scratch/state/status";
Dir::Cache "$scratch/cache";
Dir::Etc::SourceList "$scratch/etc/sources.list";
Dir::Etc::SourceParts "-";
APT::Sandbox::User "root";
CONF
  (cd "$scratch/debs" && APT_CONFIG="$scratch/apt.conf" apt-get update -qq && APT_CONFIG="$scratch/apt.conf" apt-get download -qq "$@")
  local deb
  for deb in "$scratch"/debs/*.deb; do dpkg-deb -x "$deb" "$scratch/root"; done
}
program_from() { # SUITE PROGRAM WHAT-IS-NEEDED ARGUMENT-THAT-SHOWS-IT-RUNS NAME
  local name=$5
  unpack_from "$1" "$3" "$2"
  # Moved into place whole, so that an interrupted run never leaves half a binary.
  cp "$(find "$scratch/root" -type f -path "*bin/$2" | head -n 1)" "$tools/$name.new"
  "$tools/$name.new" "$4" >/dev/null || fail "the fetched $2 does not run here"
  mv "$tools/$name.new" "$tools/$name"
  rm -rf "$scratch"
}
# The floor is judged by the controller itself; here it is enough that a copy of ours runs.
"$tools/nats-server" --version >/dev/null 2>&1 || program_from sid nats-server "nats-server 2.14.3 or newer" --version nats-server
if [[ ${1:-} != demo ]]; then
  # Both sign images in the tests: what the one writes by default the other does not.
  "$tools/cosign" version >/dev/null 2>&1 || program_from sid cosign "cosign 3 or newer" version cosign
  "$tools/cosign-2" version >/dev/null 2>&1 || program_from trixie cosign "cosign 2 as cosign-2" version cosign-2
fi

# Judges signatures in the tests, which Debian 12's is built without. It runs with its own suite's libraries.
if [[ ${1:-} != demo ]] && ! "$tools/skopeo-sigstore/skopeo" --version >/dev/null 2>&1; then
  unpack_from trixie "skopeo 1.18 or newer as skopeo-sigstore/skopeo" \
    skopeo libgpgme11t64 libassuan9 libgpg-error0 libc6 libsqlite3-0 libsubid5
  peer=$tools/skopeo-sigstore
  rm -rf "$peer" "$peer.new"
  mkdir "$peer.new"
  cp "$scratch/root/usr/bin/skopeo" "$peer.new/skopeo.bin"
  cp -L "$scratch"/root/usr/lib/*-linux-gnu*/*.so* "$peer.new/"
  cat >"$peer.new/skopeo" <<'SCRIPT'
#!/usr/bin/env bash
dir=$(dirname "$(readlink -f "$0")")
exec "$(ls "$dir"/ld-linux*.so.*)" --library-path "$dir" "$dir/skopeo.bin" "$@"
SCRIPT
  chmod 755 "$peer.new/skopeo"
  "$peer.new/skopeo" --version >/dev/null || fail "the fetched skopeo does not run here"
  mv "$peer.new" "$peer"
  rm -rf "$scratch"
fi

# What systemd-creds needs to speak to a TPM, here one in software. It is unpacked, not installed: Debian's packages
# bring udev along, and with it another systemd.
if [[ ${1:-} != demo && ! -x $tools/tss2/systemd-creds ]]; then
  unpack_from bookworm "the libraries of tpm2-tss, and a systemd-creds that finds them, as tss2/*" \
    libtss2-esys-3.0.2-0 libtss2-sys1 libtss2-mu0 libtss2-rc0 libtss2-tcti-swtpm0
  peer=$tools/tss2
  rm -rf "$peer" "$peer.new"
  mkdir "$peer.new"
  cp -L "$scratch"/root/usr/lib/*-linux-gnu*/libtss2-*.so.? "$peer.new/"
  cat >"$peer.new/systemd-creds" <<'SCRIPT'
#!/bin/sh
LD_LIBRARY_PATH=$(dirname "$(readlink -f "$0")") exec /usr/bin/systemd-creds "$@"
SCRIPT
  chmod 755 "$peer.new/systemd-creds"
  "$peer.new/systemd-creds" --version >/dev/null || fail "systemd-creds does not run here with the fetched libtss2"
  mv "$peer.new" "$peer"
  rm -rf "$scratch"
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
