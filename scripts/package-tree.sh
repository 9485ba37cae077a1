#!/usr/bin/env bash
# Lay the files that a host needs into the folder DIR, as they stand in an image. The bundles of `make build` must be
# there. With `enabled` the units are enabled by links of the vendor's, which a host may mask.
# usage: scripts/package-tree.sh DIR [enabled]
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:?usage: scripts/package-tree.sh DIR [enabled]}

install -d -m 755 "$target"/{etc/bootfleet,efi,usr/bin,usr/lib/bootfleet/checks,usr/lib/systemd/system}
for program in bootfleet-agent container-snap; do
  [[ -f dist/$program ]] || { printf 'error: dist/%s is missing: run make build\n' "$program" >&2; exit 1; }
  file=$(readlink "dist/$program")
  install -m 755 "dist/$file" "$target/usr/lib/bootfleet/$file"
  ln -sfn "../lib/bootfleet/$file" "$target/usr/bin/$program"
done
install -m 644 packaging/systemd/*.service "$target/usr/lib/systemd/system/"
(cd packaging/tree && find . -type f -exec install -D -m 644 {} "$target/{}" \;)

[[ ${2:-} == enabled ]] || exit 0
for unit in packaging/systemd/*.service; do
  name=$(basename "$unit")
  while IFS='=' read -r key wanted; do
    case $key in
      WantedBy) folder=$wanted.wants ;;
      RequiredBy) folder=$wanted.requires ;;
      *) continue ;;
    esac
    install -d -m 755 "$target/usr/lib/systemd/system/$folder"
    ln -sfn "../$name" "$target/usr/lib/systemd/system/$folder/$name"
  done <"$unit"
done
