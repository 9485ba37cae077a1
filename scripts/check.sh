#!/usr/bin/env bash
# Everything that can be judged without running the programs. Runs all steps and then fails if any did.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"
failed=()
step() {
  local name=$1
  shift
  local output
  if output=$("$@" 2>&1); then
    printf '✔ %-10s %s\n' "$name" "$(tail -n 1 <<<"$output" | cut -c1-100)"
  else
    printf '✖ %s\n%s\n' "$name" "$output"
    failed+=("$name")
  fi
}
generated_is_fresh() {
  local fresh
  fresh=$(mktemp -d)
  buf generate --output "$fresh" && diff -r proto/gen "$fresh/proto/gen"
  local status=$?
  rm -rf "$fresh"
  return $status
}
reference_is_fresh() {
  local fresh
  fresh=$(mktemp)
  tsx scripts/generate-cli-reference.ts "$fresh" && diff docs/cli-reference.md "$fresh" && echo 'as the program says' ||
    { echo 'docs/cli-reference.md is not what the program says: run make generate'; false; }
  local status=$?
  rm -f "$fresh"
  return $status
}
step types tsc --build
step lint oxlint --deny-warnings
step protobuf buf lint
step generated generated_is_fresh
step reference reference_is_fresh
step format prettier --log-level warn --check .
step boundaries node scripts/check-boundaries.mjs
step dead-code knip --no-progress
if (( ${#failed[@]} )); then
  printf 'check failed: %s\n' "${failed[*]}"
  exit 1
fi
