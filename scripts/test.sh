#!/usr/bin/env bash
# Every check and every test. The last line adds up what all runners ran; a runner that ran nothing has failed.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

scripts/setup.sh test
. scripts/env.sh

began=$SECONDS
passed=0
failed=0
trouble=()

# Adds up the numbers that follow a word, or come before it, in what a runner said.
sum() {
    sed -n "s/$1/\1/p" target/runner.log | awk '{ sum += $1 } END { print sum + 0 }'
}

# Runs a runner, and counts by the lines it ends with: cargo's and wasm-bindgen's, or Node's.
run() {
    local name=$1 status=0 good bad
    shift
    printf '\ntest: %s\n' "$name"
    mkdir -p target
    "$@" 2>&1 | tee target/runner.log || status=$?
    good=$(($(sum '^test result: .* \([0-9]*\) passed.*') + $(sum '^[^a-z]* pass \([0-9]*\)$')))
    bad=$(($(sum '^test result: .* \([0-9]*\) failed.*') + $(sum '^[^a-z]* fail \([0-9]*\)$')))
    if [ $((good + bad)) = 0 ]; then
        trouble+=("$name: no test ran")
        bad=1
    elif [ "$status" != 0 ] && [ "$bad" = 0 ]; then
        trouble+=("$name: ended with status $status")
        bad=1
    elif [ "$bad" != 0 ]; then
        trouble+=("$name: $bad failed")
    fi
    passed=$((passed + good))
    failed=$((failed + bad))
}

scripts/check.sh || {
    trouble+=("scripts/check.sh failed")
    failed=$((failed + 1))
}

# The Worker is held to the document of its routes by thousands of requests, one after the other: beside all else.
document=tests/worker/openapi.test.mjs
rm -f target/document.status
(
    status=0
    node --test --test-reporter=spec "$document" >target/document.log 2>&1 || status=$?
    echo "$status" >target/document.status
) &
document_of_routes() {
    until [ -f target/document.status ]; do sleep 1; done
    cat target/document.log
    return "$(cat target/document.status)"
}

driver=()
[ -z "${CHROMEDRIVER:-}" ] || driver=(--chromedriver "$CHROMEDRIVER")

run 'native' cargo test --no-fail-fast
run 'native, without the catalog' cargo test --no-default-features --lib
run 'browser core in Node' wasm wasm-pack test --node -- --features browser --test node
run 'browser core in Chrome' wasm wasm-pack test --headless --chrome "${driver[@]}" -- --features browser --test chrome
# The Worker itself, in workerd; the npm package, packed, installed, and run where it is said to run; and the console, in
# Chromium. check.sh has built all of it. Side by side, since alone each leaves the machine idle where it waits.
mapfile -t files < <(ls tests/{worker,package,console}/*.test.mjs | grep -v "^$document$")
run 'Worker, npm package, console' node --test --test-reporter=spec --test-concurrency=3 "${files[@]}"
run 'document of the routes' document_of_routes

printf '\n'
[ ${#trouble[@]} = 0 ] || printf 'test: %s\n' "${trouble[@]}"
printf 'test: all of it took %s s\n' $((SECONDS - began))
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
