#!/usr/bin/env bash
# The control plane on one core: signed calls accepted beside SQLite's own bulk insert of the same rows, and the time of
# DescribePushTasks with 10,000 and with many targets. README.md says what is compared.
# Usage: bench/accept.sh [accept|describe|all] [ROUNDS] [TARGETS]   (5 rounds, 10,000,000 targets: 2 GiB of disk, some minutes)
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:-all} rounds=${2:-5} targets=${3:-10000000}
dir=$(mktemp -d "${BENCH_DIR:-${TMPDIR:-/tmp}}/stoker-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
cargo build --release --locked -p stoker-gateway --example control_plane
bench=${CARGO_TARGET_DIR:-target}/release/examples/control_plane
case $what in accept | all) taskset -c 0 "$bench" accept "$dir" "$rounds" ;; esac
case $what in describe | all) taskset -c 0 "$bench" describe "$dir" "$targets" ;; esac
