#!/usr/bin/env bash
# The control plane: signed calls accepted on one core beside SQLite's own bulk insert of the same rows, the time of
# DescribePushTasks with 10,000 and with many targets, memory while calls arrive. README.md says what is compared.
# Usage: bench/accept.sh [accept|describe|memory|all] [ROUNDS] [TARGETS]   (5 rounds; 10,000,000 targets: 2 GiB of disk)
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:-all} rounds=${2:-5} targets=${3:-10000000}
dir=$(mktemp -d "${BENCH_DIR:-${TMPDIR:-/tmp}}/stoker-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
cargo build --release --locked -p stoker-gateway --example control_plane
bench=${CARGO_TARGET_DIR:-target}/release/examples/control_plane
case $what in accept | all) taskset -c 0 "$bench" accept "$dir" "$rounds" ;; esac
case $what in describe | all) taskset -c 0 "$bench" describe "$dir" "$targets" ;; esac
case $what in memory | all)
  cargo build --release --locked --bin stoker
  TMPDIR=$dir python3 bench/accept_memory.py --stoker "${CARGO_TARGET_DIR:-target}/release/stoker" ;;
esac
