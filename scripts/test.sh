#!/usr/bin/env bash
# Installs what the tests need and runs them all: crates, then the gateway with stock clients.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in cargo node npm; do
    command -v "$tool" >/dev/null || { echo "scripts/test.sh: $tool is missing" >&2; exit 1; }
done
cargo test --workspace --no-fail-fast
cargo build -p relay
export RELAY_BIN="${CARGO_TARGET_DIR:-$PWD/target}/debug/relay"
cd tests/e2e/js
npm ci --no-audit --no-fund
node --test test/
