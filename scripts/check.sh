#!/usr/bin/env bash
# Everything that can be judged without running the programs. Runs all steps and then fails if any did.
set -uo pipefail
cd "$(dirname "$0")/.."
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
  npx buf generate --output "$fresh" && diff -r proto/gen "$fresh/proto/gen"
  local status=$?
  rm -rf "$fresh"
  return $status
}
step types npx tsc --build
step lint npx oxlint --deny-warnings
step protobuf npx buf lint
step generated generated_is_fresh
step format npx prettier --log-level warn --check .
step boundaries node scripts/check-boundaries.mjs
step dead-code npx knip --no-progress
if (( ${#failed[@]} )); then
  printf 'check failed: %s\n' "${failed[*]}"
  exit 1
fi
