#!/usr/bin/env bash
# Stoker beside nginx, interleaved in one run: installs what it needs, builds, measures, prints medians and ratios.
# Usage: bench/run.sh [--rounds N] [--only NAME[,NAME...]] [--quick]
set -euo pipefail
cd "$(dirname "$0")/.."

need=()
command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || need+=(nginx-light)
command -v wrk >/dev/null || need+=(wrk)
command -v taskset >/dev/null || need+=(util-linux)
if [ "${#need[@]}" -gt 0 ]; then
  sudo=""; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -q >/dev/null
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q "${need[@]}" >/dev/null
fi
cargo build --release --locked --bin stoker
exec python3 bench/bench.py --stoker target/release/stoker "$@"
