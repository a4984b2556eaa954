#!/usr/bin/env bash
# Runs every fuzz target, two at a time, and says for each how far it came.
#
#   fuzz/run.sh SECONDS [TARGET...]   the targets, or the named ones, for SECONDS; without names the
#                                     readers of a call take so long and the others a third
#
# Wants cargo-fuzz in the path; needs no nightly toolchain. New inputs are kept in fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")"

seconds=$1
shift
if (($#)); then
    readers=("$@") others=()
else
    readers=(requests authorization query form multipart json list policy)
    others=(signature_tc3 signature_v1 signature_admin target playlist http_fields stored_response dns)
fi
least=$((seconds / 3 > 0 ? seconds / 3 : 1))

cargo fetch --quiet --locked || {
    echo "hint: cargo update --workspace --manifest-path fuzz/Cargo.toml" >&2
    exit 1
}
cargo fuzz build --sanitizer none

run_one() {
    local target=$1 seconds=$2 log="target/$1.log" options=() last
    mkdir -p "corpus/$target"
    if [ -f "dictionaries/$target" ]; then options+=("-dict=dictionaries/$target"); fi
    if cargo fuzz run --sanitizer none "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
        "${options[@]}" >"$log" 2>&1; then
        last=$(grep -o 'DONE .*cov: [0-9]*' "$log" | grep -o '[0-9]*$' || true)
        printf '%-16s %s, %s edges\n' "$target" "$(grep -o '[0-9]* runs in .*' "$log")" "$last"
        return
    fi
    printf '%-16s FAILED\n' "$target"
    grep -A4 -E 'panicked at|ERROR: libFuzzer|^error' "$log" || tail -20 "$log"
    for last in $(grep -o 'artifacts/[^ ]*/\(crash\|timeout\|oom\|slow-unit\)-[0-9a-f]*' "$log" | sort -u); do
        echo "input:  fuzz/$last"
        echo "repeat: cargo fuzz run --sanitizer none $target fuzz/$last"
        echo "keep:   cp fuzz/$last fuzz/seeds/$target/regression-NAME"
    done
    return 1
}
export -f run_one

work() {
    local target
    for target in "${readers[@]}"; do echo "$target" "$seconds"; done
    for target in "${others[@]}"; do echo "$target" "$least"; done
}
status=0
work | xargs -P 2 -L 1 bash -c 'run_one "$@" || { touch "target/$1.failed"; exit 1; }' _ || status=$?

total=$((${#readers[@]} + ${#others[@]}))
failed=$(find target/ -maxdepth 1 -name '*.failed' -print -delete | wc -l)
printf 'test result: %s. %d passed; %d failed; 0 ignored; fuzz targets\n' \
    "$( ((status == 0)) && echo ok || echo FAILED)" $((total - failed)) "$failed"
exit "$status"
