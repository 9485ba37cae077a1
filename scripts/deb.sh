#!/usr/bin/env bash
# Make dist/bootfleet-host_VERSION_all.deb: the programs of a host, their units and settings.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(node -p 'require("./package.json").version')
package=dist/bootfleet-host_${version}_all.deb
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch"
scripts/package-tree.sh "$scratch"
# A package must not own what a host mounts.
rmdir "$scratch/efi"
install -d -m 755 "$scratch/DEBIAN" "$scratch/usr/share/doc/bootfleet-host"
install -m 644 LICENSE "$scratch/usr/share/doc/bootfleet-host/copyright"
units=$(cd packaging/systemd && printf '%s ' *.service)
cat >"$scratch/DEBIAN/control" <<CONTROL
Package: bootfleet-host
Version: $version
Architecture: all
Maintainer: bootfleet maintainers <maintainers@bootfleet.invalid>
Section: admin
Priority: optional
Depends: nodejs (>= 20.19), skopeo, btrfs-progs, util-linux, mount, systemd, tar, init-system-helpers (>= 1.52)
Recommends: systemd-boot, systemd-boot-efi, dosfstools, libtss2-esys-3.0.2-0t64 | libtss2-esys-3.0.2-0, libtss2-rc0t64 | libtss2-rc0
Suggests: fdisk, mtools, qemu-utils
Description: agent and image tool of a bootfleet host
 bootfleet-agent keeps a host on the image that its fleet's git names;
 container-snap keeps bootable images in btrfs subvolumes. The agent starts
 when there is a configuration at /etc/bootfleet/agent.yaml.
CONTROL
# Nothing is started: the programs are for the next boot of a deployment made from an image that has this package.
cat >"$scratch/DEBIAN/postinst" <<POSTINST
#!/bin/sh
set -e
if [ "\$1" = configure ]; then
  for unit in $units; do
    deb-systemd-helper unmask "\$unit" >/dev/null || true
    if deb-systemd-helper --quiet was-enabled "\$unit"; then
      deb-systemd-helper enable "\$unit" >/dev/null || true
    else
      deb-systemd-helper update-state "\$unit" >/dev/null || true
    fi
  done
  systemd-tmpfiles --create bootfleet.conf >/dev/null 2>&1 || true
fi
POSTINST
# A machine whose image is on trial, or whose adoption is not finished, must not lose who would take it back: then the
# removal ends here, with what to do.
cat >"$scratch/DEBIAN/prerm" <<'PRERM'
#!/bin/sh
set -e
[ "$1" = remove ] || exit 0
journal=/var/lib/bootfleet/adopt.json
if [ -e "$journal" ] && ! grep -q '"finishedAt": *"' "$journal"; then
  echo "bootfleet-host: not removed: an adoption is not finished ($journal); end it first:" \
    "bootfleet-agent adopt --finish, or back with bootfleet-agent adopt --undo" >&2
  exit 1
fi
config=/etc/bootfleet/agent.yaml
if [ -d /run/systemd/system ] && [ -e "$config" ] && ! bootfleet-agent uninstall --config "$config"; then
  cat >&2 <<WORDS
bootfleet-host: not removed: bootfleet-agent uninstall --config $config failed, for the reason above.
Do as it says and remove the package again. Where that file cannot be read, mend it; or, where container-snap status
shows that what runs is blessed and boots next, take it out of the way, and nothing is asked any more:
  systemctl disable --now bootfleet-agent bootfleet-health bootfleet-emergency container-snap-repair container-snap-bless
  mv $config $config.unread
WORDS
  exit 1
fi
PRERM
# Deployments, kernels and what container-snap knows of them stay: the machine boots from them. Files go by their names,
# for others may have put theirs beside them.
cat >"$scratch/DEBIAN/postrm" <<POSTRM
#!/bin/sh
set -e
if [ "\$1" = purge ]; then
  if command -v deb-systemd-helper >/dev/null; then
    deb-systemd-helper purge $units >/dev/null || true
  fi
  state=/var/lib/bootfleet
  agent=\$state/agent
  own=\$agent/identity
  for file in key.pem key.pem.sealed nats.key nats.key.sealed nats.pub nats.jwt request.csr certificate.pem ca.pem \\
    director.pem trust.jsonl; do
    rm -f "\$own/\$file" "\$own/\$file.new"
  done
  rm -f "\$agent"/state.json "\$agent"/state.json.new "\$agent"/state.json.damaged-* "\$agent"/trust.jsonl \\
    "\$agent"/trust.jsonl.new /etc/bootfleet/agent.yaml /etc/bootfleet/agent.yaml.new
  # What an adoption kept, where nothing goes back any more.
  if [ -e "\$state/adopt.json" ] && grep -q '"finishedAt": *"' "\$state/adopt.json"; then
    rm -rf "\$state/adopted-etc" "\$state/carried-etc" "\$state/carried-base" "\$state/adopt.json" \\
      "\$state/adopt.json.new"
  fi
  for folder in "\$own" "\$agent" "\$state" /etc/bootfleet; do
    rmdir "\$folder" 2>/dev/null || true
  done
fi
POSTRM
chmod 755 "$scratch/DEBIAN/postinst" "$scratch/DEBIAN/prerm" "$scratch/DEBIAN/postrm"
dpkg-deb --root-owner-group --build "$scratch" "$package.new" >/dev/null
mv "$package.new" "$package"
printf '%s\n' "$package"
