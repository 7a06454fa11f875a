#!/usr/bin/env bash
# Runs every check and every test, or with the argument `docs` the commands and examples of the documentation, or with `clients` the
# clients of Stripe against the catalog. The last line is the sum over all runners. A runner that ran no test counts as failed.
#
# After the builds, three queues run side by side. Tests often wait, and Cargo builds one thing at a time.
#
# | queue   | content                                                                            |
# |---------|------------------------------------------------------------------------------------|
# | Rust    | scripts/check.sh, the native tests, the browser core in Node and in Chromium       |
# | Node    | the built Worker in workerd, the npm packages in each environment, the console     |
# | OpenAPI | thousands of generated requests, in five runs side by side                         |
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

case ${1:-} in
clients) scripts/setup.sh clients ;;
*) scripts/setup.sh test ;;
esac
. scripts/env.sh

began=$SECONDS
logs=target/test-logs
rm -rf "$logs"
mkdir -p "$logs"
scripts/build.sh

# Runs a runner. Writes its output to NAME.log, and its duration and exit status to NAME.status.
run() {
    local log=$logs/$1 began=$SECONDS status=0
    shift
    "$@" >"$log.log" 2>&1 || status=$?
    echo "$((SECONDS - began)) $status" >"$log.status"
}

# Runs the checks and all tests except those of the documentation, in three queues.
start_all() {
    local driver=() openapi_test=tests/worker/openapi.test.mjs node_tests
    [ -z "${CHROMEDRIVER:-}" ] || driver=(--chromedriver "$CHROMEDRIVER")
    mapfile -t node_tests < <(ls tests/{worker,package,packages,console}/*.test.mjs | grep -v "^$openapi_test$")
    (
        run check scripts/check.sh
        run native cargo test --no-fail-fast
        run native-edge cargo test --no-default-features --lib
        # Without the catalog: wasm-pack builds the tests of all enabled features.
        run browser-node wasm wasm-pack test --node -- --no-default-features --features browser --test node
        run browser-chrome wasm wasm-pack test --headless --chrome "${driver[@]}" -- --no-default-features --features browser --test chrome
    ) &
    run openapi node --test --test-reporter=spec "$openapi_test" &
    run node node scripts/node-tests.mjs 3 "${node_tests[@]}" &
}

passed=0
failed=0
problems=()

# Sums the numbers that a pattern captures in the output of a runner.
sum() {
    sed -n "s/$2/\1/p" "$1" | awk '{ sum += $1 } END { print sum + 0 }'
}

# Prints the output of a runner, also while it runs.
follow() {
    local printed=0 size is_last=
    touch "$logs/$1.log"
    until [ "$is_last" ]; do
        [ ! -s "$logs/$1.status" ] || is_last=yes
        size=$(wc -c <"$logs/$1.log")
        tail -c "+$((printed + 1))" "$logs/$1.log" | head -c $((size - printed)) || true
        printed=$size
        sleep 0.2
    done
}

# Waits for a runner, prints its output, and counts its tests from its summary lines: those of cargo and wasm-bindgen, or of Node.
report() {
    local name=$1 what=$2 duration status good bad
    printf '\ntest: %s\n' "$what"
    follow "$name"
    read -r duration status <"$logs/$name.status"
    printf 'test: %s: %s s\n' "$what" "$duration"
    good=$(($(sum "$logs/$name.log" '^test result: .* \([0-9]*\) passed.*') + $(sum "$logs/$name.log" '^[^a-z]* pass \([0-9]*\)$')))
    bad=$(($(sum "$logs/$name.log" '^test result: .* \([0-9]*\) failed.*') + $(sum "$logs/$name.log" '^[^a-z]* fail \([0-9]*\)$')))
    if [ "$name" = check ]; then
        bad=$((status != 0))
        [ "$status" = 0 ] || problems+=("scripts/check.sh failed")
    elif [ $((good + bad)) = 0 ]; then
        problems+=("$what: no test ran")
        bad=1
    elif [ "$status" != 0 ] && [ "$bad" = 0 ]; then
        problems+=("$what: exited with status $status")
        bad=1
    elif [ "$bad" != 0 ]; then
        problems+=("$what: $bad failed")
    fi
    passed=$((passed + good))
    failed=$((failed + bad))
}

# In memory, if there is room: the Workers of the tests then store without waiting for a disk.
if [ "$(df --output=avail /dev/shm 2>/dev/null | tail -n 1)" -gt 2000000 ] 2>/dev/null; then
    TMPDIR=$(mktemp -d /dev/shm/entgate-tests.XXXX)
    export TMPDIR
    # For PostgreSQL, which does not run as root.
    chmod 711 "$TMPDIR"
    trap 'rm -rf "$TMPDIR"' EXIT
fi

trap 'kill 0' INT TERM
echo "test: running … (output: $logs/)"
case ${1:-} in
docs)
    scripts/packages.sh
    run docs node --test --test-reporter=spec --test-concurrency=3 tests/docs/*.test.mjs &
    report docs 'documentation'
    ;;
clients)
    run clients node --test --test-reporter=spec --test-concurrency=3 tests/clients/*.test.mjs &
    report clients 'clients of Stripe'
    ;;
*)
    start_all
    report check 'checks'
    report native 'native'
    report native-edge 'native, without the catalog'
    report browser-node 'browser core in Node'
    report browser-chrome 'browser core in Chromium'
    report openapi 'OpenAPI document'
    report node 'Worker, npm packages, console'
    ;;
esac

printf '\n'
[ ${#problems[@]} = 0 ] || printf 'test: %s\n' "${problems[@]}"
printf 'test: total time: %s s\n' $((SECONDS - began))
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
