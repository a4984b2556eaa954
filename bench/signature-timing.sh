#!/usr/bin/env bash
# Measures whether the time of a refused signature tells how much of it was right.
#
#   bench/signature-timing.sh [CALLS]   calls of each class, a million unless told otherwise
set -euo pipefail
cd "$(dirname "$0")/.."
STOKER_TIMING_CALLS="${1:-1000000}" cargo test --release --locked -p stoker-gateway --lib timing \
    -- --nocapture --test-threads 1 | grep ' ns '
