#!/usr/bin/env bash
# Checks and tests everything: formatting, lints, the tests of the crates, and the gateway itself
# with the stock JavaScript and Python clients. Installs what these need inside the repository
# (node_modules, .venv); needs bash, Rust, Node >= 20 with npm, Python >= 3.9, and the programs that
# scripts/services.sh looks for.
#
# A step that fails does not stop the others. The last line is the sum; the exit code is 0 only if
# nothing failed and every suite ran something.

set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
root=$PWD

passed=0
failed=0
failures=()
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT

# ---- What happened ----------------------------------------------------------------------------

say() {
    printf '\n== %s\n' "$*"
}

die() {
    printf 'test.sh: %s\n' "$*" >&2
    exit 1
}

# count NAME PASSED FAILED EXIT_CODE: adds a suite's numbers to the sum.
count() {
    local name=$1 ok=$2 bad=$3 code=$4
    # A suite that broke before it could count, or ran nothing, is one failure.
    if ((bad == 0 && (code != 0 || ok == 0))); then
        bad=1
    fi
    passed=$((passed + ok))
    failed=$((failed + bad))
    if ((bad > 0)); then
        failures+=("$name")
    fi
    printf -- '-- %s: %d passed, %d failed (%d s so far)\n' "$name" "$ok" "$bad" "$SECONDS"
}

# check NAME COMMAND...: a step that has no numbers of its own.
check() {
    local name=$1
    shift
    say "$name"
    if "$@"; then
        count "$name" 1 0 0
    else
        count "$name" 0 1 1
        return 1
    fi
}

# sum PATTERN FILE: adds up the numbers that the first group of the pattern matches.
sum() {
    sed -nE "s/$1/\1/p" "$2" | awk '{ total += $1 } END { print total + 0 }'
}

# ---- What is needed ---------------------------------------------------------------------------

require() {
    command -v "$1" >/dev/null || die "$1 is missing: $2"
}

require_toolchain() {
    require cargo "install Rust from https://rustup.rs"
    cargo fmt --version >/dev/null 2>&1 || die "rustfmt is missing: rustup component add rustfmt"
    cargo clippy --version >/dev/null 2>&1 || die "clippy is missing: rustup component add clippy"
    require node "install Node.js 20 or newer"
    require npm "it comes with Node.js"
    require python3 "install Python 3.9 or newer"
    local major
    major=$(node -p 'process.versions.node.split(".")[0]')
    ((major >= 20)) || die "Node.js 20 or newer is needed, this is $(node --version)"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' ||
        die "Python 3.9 or newer is needed, this is $(python3 --version)"
}

# ---- The suites -------------------------------------------------------------------------------

rust_suite() {
    local name="cargo test" out=$log/cargo code
    say "$name"
    cargo test --workspace --locked --no-fail-fast 2>&1 | tee "$out"
    code=$?
    count "$name" "$(sum '^test result: .* ([0-9]+) passed;.*' "$out")" \
        "$(sum '^test result: .* ([0-9]+) failed;.*' "$out")" "$code"
}

install_javascript() {
    # Nothing to do, and nothing to ask the network, if the lock file was installed already.
    [[ node_modules/.package-lock.json -nt package-lock.json ]] ||
        npm ci --no-audit --no-fund --loglevel=error
}

# tap_suite NAME FOLDER PATTERN: runs the tests of Node's own runner that match it in the folder.
tap_suite() {
    local name=$1 folder=$2 pattern=$3 tap=$log/tap code
    say "$name"
    cd "$folder" || return
    if ! install_javascript; then
        cd "$root" || return
        count "$name" 0 1 1
        return
    fi
    local flags=()
    # One file only waits: it need not wait alone. Early releases of Node 20 lack the option.
    if node --test-concurrency=2 --eval '' 2>/dev/null; then
        flags+=(--test-concurrency=2)
    fi
    rm -f "$tap"
    # shellcheck disable=SC2086 # the pattern is one
    node --test ${flags[@]+"${flags[@]}"} \
        --test-reporter=spec --test-reporter-destination=stdout \
        --test-reporter=tap --test-reporter-destination="$tap" \
        $pattern
    code=$?
    touch "$tap"
    local bad
    bad=$(($(sum '^# fail ([0-9]+)$' "$tap") + $(sum '^# cancelled ([0-9]+)$' "$tap")))
    cd "$root" || return
    count "$name" "$(sum '^# pass ([0-9]+)$' "$tap")" "$bad" "$code"
}

javascript_suite() {
    tap_suite "JavaScript client" tests/e2e/js 'test/*.test.mjs'
}

interop_suite() {
    tap_suite "interop" tests/interop '*.test.mjs'
}

# Four gateways behind the real HAProxy, on a real Redis.
cluster_suite() {
    tap_suite "cluster" tests/cluster '*.test.mjs'
}

# Leaves the interpreter with the packages in `python`, and PYTHONPATH if they lie beside it.
install_python() {
    local requirements=$root/tests/e2e/python/requirements.txt
    local stamp=.venv/installed
    if ! cmp -s "$requirements" "$stamp"; then
        rm -rf .venv
        if python3 -m venv .venv >"$log/venv" 2>&1; then
            .venv/bin/python -m pip install --quiet --disable-pip-version-check \
                -r "$requirements" || return 1
        else
            # Some distributions take venv apart into a package of its own.
            rm -rf .venv
            python3 -m pip --version >/dev/null 2>&1 || {
                cat "$log/venv" >&2
                echo "test.sh: Python has neither venv nor pip: install python3-venv" >&2
                return 1
            }
            python3 -m pip install --quiet --disable-pip-version-check \
                --target .venv/packages -r "$requirements" || return 1
        fi
        cp "$requirements" "$stamp"
    fi
    if [[ -d .venv/packages ]]; then
        python=python3
        export PYTHONPATH=$root/.venv/packages
    else
        python=$root/.venv/bin/python
    fi
}

python_suite() {
    local name="Python client" out=$log/python code python
    say "$name"
    if ! install_python; then
        count "$name" 0 1 1
        return
    fi
    cd tests/e2e/python || return
    PYTHONDONTWRITEBYTECODE=1 "$python" -m unittest discover -v 2>&1 | tee "$out"
    code=$?
    cd "$root" || return
    local ran bad
    ran=$(sum '^Ran ([0-9]+) tests? in .*' "$out")
    bad=$(($(sum '^FAILED \(.*failures=([0-9]+).*' "$out") + $(sum '^FAILED \(.*errors=([0-9]+).*' "$out")))
    count "$name" $((ran > bad ? ran - bad : 0)) "$bad" "$code"
}

# node_suite NAME FOLDER COMMAND...: runs a suite whose last line is `N passed, N failed`.
node_suite() {
    local name=$1 folder=$2 out code
    shift 2
    out=$log/${folder//\//-}
    say "$name"
    cd "$folder" || return
    if ! install_javascript; then
        cd "$root" || return
        count "$name" 0 1 1
        return
    fi
    "$@" 2>&1 | tee "$out"
    code=$?
    cd "$root" || return
    local last='^([0-9]+) passed, [0-9]+ failed$' bad='^[0-9]+ passed, ([0-9]+) failed$'
    count "$name" "$(sum "$last" "$out")" "$(sum "$bad" "$out")" "$code"
}

documents_suite() {
    local python=python3
    if ! install_python; then
        count "documents" 0 1 1
        return
    fi
    PYTHON=$python node_suite "documents" tests/docs node run.mjs
}

# The README asks for no JDK: without one this suite is left out, and says so.
java_suite() {
    local name="Java client" out=$log/java code
    if ! command -v javac >/dev/null || ! command -v mvn >/dev/null; then
        echo "$name: left out, there is no JDK with Maven"
        return
    fi
    say "$name"
    tests/e2e/java/run.sh 2>&1 | tee "$out"
    code=$?
    local last='^([0-9]+) passed, [0-9]+ failed$' bad='^[0-9]+ passed, ([0-9]+) failed$'
    count "$name" "$(sum "$last" "$out")" "$(sum "$bad" "$out")" "$code"
}

# ---- Everything -------------------------------------------------------------------------------

require_toolchain
scripts/services.sh || die "the tests need these services"
check "cargo fmt" cargo fmt --all --check
check "cargo clippy" cargo clippy --workspace --locked --all-targets -- -D warnings
check "cargo doc" env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --locked --no-deps --lib
rust_suite
if check "cargo build" cargo build --locked -p relay --bins --examples; then
    target=${CARGO_TARGET_DIR:-target}
    export RELAY_BIN
    RELAY_BIN=$(cd "$target/debug" && pwd)/relay
    javascript_suite
    python_suite
    java_suite
    documents_suite
    cluster_suite
    example=$(cd "$target/debug/examples" && pwd)/conformance
    # The machine may be slow: three times the time that the protocols' own suites have.
    export CONFORMANCE_PACE=3
    node_suite "conformance" tests/conformance node run.mjs --shards 1,2,4 "$example"
    node_suite "differential" tests/differential \
        node run.mjs --spawn "$example" --shards 2 --retry
fi
if check "cargo build, the peer example" cargo build --locked -p relay --example peer; then
    target=${CARGO_TARGET_DIR:-target}
    export RELAY_PEER
    RELAY_PEER=$(cd "$target/debug/examples" && pwd)/peer
    interop_suite
fi

echo
if ((failed > 0)); then
    printf 'failed: %s\n' "${failures[@]}"
fi
echo "$passed passed, $failed failed"
((failed == 0))
