#!/usr/bin/env bash
# Installs what the tests need, then runs everything that CI runs.
#
#   ./check.sh          everything
#   ./check.sh --long   the same with longer crash loops and fuzzing, more random cases, and mutation
#                       testing; takes many hours
#
# Wants Debian (or a relative with apt-get) and a Rust toolchain. Keeps what it installs beside the
# packages of Debian in .check/, so that a second run starts at once.
set -euo pipefail
cd "$(dirname "$0")"

CARGO_FUZZ=0.13.2
CARGO_DENY=0.20.2
CARGO_MACHETE=0.9.2
CARGO_MUTANTS=27.1.0
# Pinned, so that what passes today passes tomorrow. Raise them now and then: a new model may bring a
# field that `every_field` then asks for.
PYTHON_CLIENTS="tencentcloud-sdk-python-cdn==3.1.169 tencentcloud-sdk-python-teo==3.1.194
    tencentcloud-sdk-python-common==3.1.195 tencentcloud-sdk-python==3.1.195 tccli==3.1.189.1
    qcloudapi-sdk-python==2.0.15"
# Has the modules of the others under the same names, so it gets an environment of its own.
INTERNATIONAL_CLIENT="tencentcloud-sdk-python-intl-en==3.1.193"
NODE_CLIENTS="tencentcloud-sdk-nodejs@4.1.313 qcloudapi-sdk@0.2.1"

case "${1:-}" in
'')
    fuzz_seconds=30 fuzz_targets= mutated=
    export STOKER_E2E_KILLS="${STOKER_E2E_KILLS:-50}"
    ;;
--long)
    # each target, and not only the readers of a call
    fuzz_seconds=3600 fuzz_targets=$(cd fuzz/fuzz_targets && basename -s .rs -a ./*.rs)
    export STOKER_E2E_KILLS="${STOKER_E2E_KILLS:-500}"
    export PROPTEST_CASES="${PROPTEST_CASES:-5000}"
    export STOKER_FLOOD_TIMES=1
    mutated="domain ledger engine node agent"
    ;;
*)
    echo "error: \`$1\` is not an option of check.sh" >&2
    echo "hint: ./check.sh [--long]" >&2
    exit 2
    ;;
esac

log=$(mktemp) results=$(mktemp)
trap 'rm -f "$log" "$results"' EXIT
recap=()

# Runs a command under a name; prints its output, keeps its summary lines for the end. Inside it a
# failing command does not stop the script by itself, so the functions below chain with `&&`.
step() {
    local name=$1 start=$SECONDS status=0
    shift
    printf '\n==> %s\n' "$name"
    "$@" 2>&1 | tee "$log" || status=$?
    grep '^test result:' "$log" >>"$results" || true
    recap+=("$(printf '%5ss  %-10s %s' "$((SECONDS - start))" "$name" "$(summary)")")
    if ((status != 0)); then
        printf '\n'
        printf '%s\n' "${recap[@]}"
        echo "error: step \`$name\` failed with status $status" >&2
        exit "$status"
    fi
}

# Adds up the `test result:` lines of the step that ran last.
summary() {
    awk '/^test result:/ { passed += $4; failed += $6; ignored += $8; n++ }
         END { if (n) printf "%d passed; %d failed; %d ignored", passed, failed, ignored }' "$log"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

packages() {
    local wanted=() command
    # command:package
    for command in cc:build-essential python3:python3 ffmpeg:ffmpeg npm:npm node:nodejs; do
        command -v "${command%%:*}" >/dev/null || wanted+=("${command#*:}")
    done
    command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || wanted+=(nginx-light)
    python3 -c 'import ensurepip, venv' 2>/dev/null || wanted+=(python3-venv)
    if ((${#wanted[@]})); then
        echo "installing ${wanted[*]}"
        as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -q --no-install-recommends "${wanted[@]}"
    else
        echo "all there"
    fi
}

# Says whether the last whole installation into a folder was of just these packages.
has() {
    [ "$(cat "$1/installed" 2>/dev/null)" = "$2" ]
}

clients() {
    if ! has .check/venv "$PYTHON_CLIENTS"; then
        # shellcheck disable=SC2086
        python3 -m venv .check/venv && .check/venv/bin/pip install -q $PYTHON_CLIENTS &&
            echo "$PYTHON_CLIENTS" >.check/venv/installed || return
    fi
    if ! has .check/venv-intl "$INTERNATIONAL_CLIENT"; then
        python3 -m venv .check/venv-intl &&
            .check/venv-intl/bin/pip install -q "$INTERNATIONAL_CLIENT" &&
            echo "$INTERNATIONAL_CLIENT" >.check/venv-intl/installed || return
    fi
    if ! has .check/npm "$NODE_CLIENTS"; then
        # shellcheck disable=SC2086
        mkdir -p .check/npm &&
            npm install --prefix .check/npm --no-audit --no-fund --ignore-scripts $NODE_CLIENTS &&
            echo "$NODE_CLIENTS" >.check/npm/installed || return
    fi
    .check/venv/bin/pip list 2>/dev/null | grep -E 'tencentcloud|tccli|qcloudapi' &&
        .check/venv-intl/bin/pip list 2>/dev/null | grep tencentcloud &&
        npm ls --prefix .check/npm --depth 0
}

# Installs a program of cargo's into .check/cargo, unless it is there in this version. Built without
# optimisation, because it runs for seconds and building it takes minutes.
tool() {
    local name=$1 version=$2
    if ! ".check/cargo/bin/$name" --version 2>/dev/null | grep -qF "$version"; then
        cargo install --debug --locked --version "$version" --root .check/cargo "$name"
    fi
}

cargo_deny() {
    tool cargo-deny "$CARGO_DENY" &&
        .check/cargo/bin/cargo-deny --locked check bans licenses sources &&
        .check/cargo/bin/cargo-deny --locked --config deny.toml \
            --manifest-path fuzz/Cargo.toml check bans licenses sources
}

# Dependencies that a crate names and does not use.
unused() {
    tool cargo-machete "$CARGO_MACHETE" && .check/cargo/bin/cargo-machete --skip-target-dir .
}

fmt() {
    cargo fmt --all --check && cargo fmt --manifest-path fuzz/Cargo.toml --check &&
        cargo fmt --manifest-path mutants/Cargo.toml --check
}

lint() {
    # e2e is not among all targets, because plain `cargo test` leaves it out
    cargo clippy --locked --workspace --all-targets -- -D warnings &&
        cargo clippy --locked --workspace --test e2e -- -D warnings
}

doc() {
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items
}

fuzz() {
    # shellcheck disable=SC2086
    tool cargo-fuzz "$CARGO_FUZZ" && PATH="$PWD/.check/cargo/bin:$PATH" fuzz/run.sh "$fuzz_seconds" $fuzz_targets
}

# Changes one place of a crate at a time and runs the crate's own tests, which must notice at least 97 %
# of these changes. `.cargo/mutants.toml` names the changes that make no difference, with the reason.
# STOKER_MUTANTS_EVERY=10 takes every tenth change only.
mutants() {
    tool cargo-mutants "$CARGO_MUTANTS" &&
        cargo clippy --locked --manifest-path mutants/Cargo.toml -- -D warnings || return
    local crate
    for crate in $mutated; do
        mutants/run.py "$crate" --every "${STOKER_MUTANTS_EVERY:-1}" || return
    done
}

step packages packages
step clients clients
step fmt fmt
step clippy lint
step doc doc
step deny cargo_deny
step unused unused
step test cargo test --locked --workspace
step fuzz fuzz
[ -z "$mutated" ] || step mutants mutants
step e2e cargo test --locked --workspace --test e2e -- --nocapture

printf '\n==> all of it passed\n'
printf '%s\n' "${recap[@]}"
cat "$results"
