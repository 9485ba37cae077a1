#!/usr/bin/env bash
# Make an image FROM scratch that holds only what a host needs, so that a Containerfile takes it in one line:
#   COPY --from=localhost/bootfleet-agent:VERSION / /
# It is written to dist/bootfleet-agent-VERSION.oci.tar; the local store of buildah keeps nothing of it.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(node -p 'require("./package.json").version')
name=localhost/bootfleet-agent:$version
archive=dist/bootfleet-agent-$version.oci.tar
scratch=$(mktemp -d)
buildah=(buildah --root "$scratch/root" --runroot "$scratch/run" --storage-driver vfs)
trap '"${buildah[@]}" rm --all >/dev/null 2>&1 || true; rm -rf "$scratch"' EXIT

mkdir -p "$scratch/tree"
scripts/package-tree.sh "$scratch/tree" enabled
container=$("${buildah[@]}" from scratch)
# One time for all files: the same sources make the same layer.
epoch=$(git log -1 --format=%ct 2>/dev/null || date +%s)
find "$scratch/tree" -exec touch -h -d "@$epoch" {} +
"${buildah[@]}" copy -q "$container" "$scratch/tree" / >/dev/null
"${buildah[@]}" config --os linux \
  --label org.opencontainers.image.title=bootfleet-agent \
  --label "org.opencontainers.image.version=$version" \
  --label org.opencontainers.image.licenses=Apache-2.0 "$container"
"${buildah[@]}" commit -q --timestamp "$epoch" "$container" "$name" >/dev/null
rm -f "$archive.new"
"${buildah[@]}" push -q "$name" "oci-archive:$archive.new:$name"
mv "$archive.new" "$archive"
printf '%s\n' "$archive"
