#!/usr/bin/env bash
# Runs every check and every test. The last line is the sum over all runners. A runner that ran no test counts as failed.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

scripts/setup.sh test
. scripts/env.sh

began=$SECONDS
passed=0
failed=0
problems=()

# Sums the numbers that a pattern captures in the output of a runner.
sum() {
    sed -n "s/$1/\1/p" target/runner.log | awk '{ sum += $1 } END { print sum + 0 }'
}

# Runs a runner and counts its tests from its summary lines: those of cargo and wasm-bindgen, or those of Node.
run() {
    local name=$1 status=0 good bad
    shift
    printf '\ntest: %s\n' "$name"
    mkdir -p target
    "$@" 2>&1 | tee target/runner.log || status=$?
    good=$(($(sum '^test result: .* \([0-9]*\) passed.*') + $(sum '^[^a-z]* pass \([0-9]*\)$')))
    bad=$(($(sum '^test result: .* \([0-9]*\) failed.*') + $(sum '^[^a-z]* fail \([0-9]*\)$')))
    if [ $((good + bad)) = 0 ]; then
        problems+=("$name: no test ran")
        bad=1
    elif [ "$status" != 0 ] && [ "$bad" = 0 ]; then
        problems+=("$name: exited with status $status")
        bad=1
    elif [ "$bad" != 0 ]; then
        problems+=("$name: $bad failed")
    fi
    passed=$((passed + good))
    failed=$((failed + bad))
}

scripts/check.sh || {
    problems+=("scripts/check.sh failed")
    failed=$((failed + 1))
}

# The OpenAPI test sends thousands of sequential requests to the Worker. It runs in the background, parallel to all other tests.
openapi_test=tests/worker/openapi.test.mjs
rm -f target/openapi.status
(
    status=0
    node --test --test-reporter=spec "$openapi_test" >target/openapi.log 2>&1 || status=$?
    echo "$status" >target/openapi.status
) &
wait_for_openapi_test() {
    until [ -f target/openapi.status ]; do sleep 1; done
    cat target/openapi.log
    return "$(cat target/openapi.status)"
}

driver=()
[ -z "${CHROMEDRIVER:-}" ] || driver=(--chromedriver "$CHROMEDRIVER")

run 'native' cargo test --no-fail-fast
run 'native, without the catalog' cargo test --no-default-features --lib
run 'browser core in Node' wasm wasm-pack test --node -- --features browser --test node
run 'browser core in Chrome' wasm wasm-pack test --headless --chrome "${driver[@]}" -- --features browser --test chrome
# The built Worker in workerd; the npm package, packed and installed in each supported environment; the console in Chromium.
# check.sh has built them. Three files run in parallel, because a single file often waits.
mapfile -t files < <(ls tests/{worker,package,console}/*.test.mjs | grep -v "^$openapi_test$")
run 'Worker, npm package, console' node --test --test-reporter=spec --test-concurrency=3 "${files[@]}"
run 'OpenAPI document' wait_for_openapi_test

printf '\n'
[ ${#problems[@]} = 0 ] || printf 'test: %s\n' "${problems[@]}"
printf 'test: total time: %s s\n' $((SECONDS - began))
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
