#!/usr/bin/env bash
# Build the root of a Debian 13 host as a tar file: debian-root.sh OUT.tar [MORE-PACKAGES...]
# The packages come from the same archive as this machine's own.
set -euo pipefail
out=$1

uri=$( (awk '/^URIs:/ {print $2}' /etc/apt/sources.list.d/debian.sources 2>/dev/null
        awk '$1=="deb" {for (i=2;i<=NF;i++) if ($i ~ /^https?:/) {print $i; break}}' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null) \
      | grep -E '/debian/?$' | head -n 1 || true)
[[ -n $uri ]] || { echo "error: no Debian archive found in apt's sources" >&2; exit 1; }
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

packages=(
  systemd-sysv systemd-boot-efi systemd-boot-tools dbus udev kmod iproute2
  linux-image-cloud-amd64 initramfs-tools zstd btrfs-progs
  podman skopeo nodejs ca-certificates
  "${@:2}"
)
# What no test reads is left out: it would be half of the image.
left_out=(
  /usr/share/man /usr/share/locale /usr/share/doc /usr/share/info /usr/share/bug /usr/share/lintian
  /usr/share/zoneinfo /usr/lib/x86_64-linux-gnu/gconv /usr/lib/cni
)

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/etc/initramfs-tools/conf.d" "$scratch/etc/initramfs-tools/hooks"
cat >"$scratch/etc/initramfs-tools/conf.d/host" <<'CONF'
MODULES=list
COMPRESS=zstd
COMPRESSLEVEL=1
FSTYPE=btrfs
CONF
printf 'virtio_pci\nvirtio_blk\nbtrfs\n' >"$scratch/etc/initramfs-tools/modules"
# Half of the initrd otherwise, and nothing in it reads that.
cat >"$scratch/etc/initramfs-tools/hooks/zz-no-hwdb" <<'HOOK'
#!/bin/sh
[ "$1" = prereqs ] && exit 0
rm -f "$DESTDIR/usr/lib/udev/hwdb.bin" "$DESTDIR/etc/udev/hwdb.bin"
HOOK
chmod 755 "$scratch/etc/initramfs-tools/hooks/zz-no-hwdb"

excludes=()
for path in "${left_out[@]}"; do excludes+=(--dpkgopt="path-exclude=$path/*"); done
policy="$(cd "$(dirname "$0")" && pwd)/../../../packaging/tree/usr/share/selinux/default/bootfleet.cil"
cat >"$scratch/add-policy" <<HOOK
#!/bin/sh
set -e
[ -x "\$1/usr/sbin/semodule" ] || exit 0
cp "$policy" "\$1/tmp/bootfleet.cil"
chroot "\$1" semodule --noreload --install /tmp/bootfleet.cil
rm "\$1/tmp/bootfleet.cil"
HOOK
chmod 755 "$scratch/add-policy"
mmdebstrap --quiet --mode=root --variant=apt --skip=check/empty \
  --aptopt='APT::Install-Recommends "false"' --aptopt='APT::Sandbox::User "root"' \
  --dpkgopt=force-unsafe-io "${excludes[@]}" \
  --setup-hook="cp -r '$scratch/etc' \"\$1\"" \
  --customize-hook='chroot "$1" systemctl --quiet enable systemd-networkd.service' \
  --customize-hook='chroot "$1" systemctl --quiet mask getty@.service serial-getty@.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer e2scrub_all.timer podman-auto-update.timer' \
  --customize-hook="$scratch/add-policy" \
  --customize-hook='rm -rf "$1"/initrd.img* "$1"/vmlinuz* "$1"/usr/lib/udev/hwdb.d "$1"/var/lib/apt/lists/* "$1"/var/cache/* "$1"/var/log/* "$1"/etc/hostname "$1"/etc/resolv.conf' \
  --customize-hook=': >"$1/etc/machine-id"; mkdir -p "$1/efi"' \
  --include="$(IFS=,; echo "${packages[*]}")" \
  trixie "$out" "deb [signed-by=$keyring] $uri trixie main"
