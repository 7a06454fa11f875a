#!/usr/bin/env bash
# Format, lints, docs and sizes. All of it runs, whatever fails; the output of what fails is shown.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

# The most bytes that the wasm of the Worker's two cores may have, gzipped: what they had when last looked at, and a tenth more.
HOT_BUDGET=127000
WORKER_BUDGET=429000

target=(--target wasm32-unknown-unknown)
failed=()

check() {
    local name=$1 began=$SECONDS output
    shift
    if output=$("$@" 2>&1); then
        [[ $output == *' bytes' ]] || output=''
        printf 'check: %-17s ok      %3s s  %s\n' "$name" $((SECONDS - began)) "$output"
    else
        printf 'check: %-17s FAILED  %3s s  %s\n%s\n' "$name" $((SECONDS - began)) "$*" "$output"
        failed+=("$name")
    fi
}

clippy() {
    cargo clippy --quiet "$@" -- -D warnings
}

docs() {
    RUSTDOCFLAGS='-D warnings' wasm cargo doc --quiet --no-deps "${target[@]}" --features hot,worker,browser
}

size() {
    local bytes
    bytes=$(gzip -9c "$1" | wc -c)
    echo "$bytes of $2 bytes"
    [ "$bytes" -le "$2" ]
}

shell_scripts() {
    if command -v shellcheck >/dev/null; then
        shellcheck --external-sources scripts/*.sh .ci/run
    else
        local script
        for script in scripts/*.sh .ci/run; do bash -n "$script" || return; done
    fi
}

check 'format' cargo fmt --check
check 'shell scripts' shell_scripts
# Biome formats and lints JavaScript and TypeScript; TypeScript checks the types of both, as JSDoc has them for JavaScript.
check 'format, lint, JS' biome ci --error-on-warnings
check 'types, JS' tsc -p tsconfig.json
check 'openapi.json' node scripts/openapi.mjs --check
check 'core alone' cargo check --quiet --no-default-features
check 'clippy, native' clippy --all-targets
# Without the catalog; 'all' has it.
check 'clippy, edge' wasm clippy "${target[@]}" --no-default-features --features hot,worker
check 'clippy, browser' wasm clippy "${target[@]}" --features browser
check 'clippy, all' wasm clippy "${target[@]}" --features hot,worker,browser
check 'docs' docs
check 'build, worker' scripts/build.sh
check 'build, npm' scripts/npm.sh
check 'size, hot' size build/hot.wasm "$HOT_BUDGET"
check 'size, worker' size build/worker.wasm "$WORKER_BUDGET"
# What a page loads of the npm package, minified and gzipped. The budgets of entgate, and of react and element on top of it,
# are promises; the others are as the Worker's.
check 'size, entgate' node scripts/size.mjs entgate 12000
check 'size, slim' node scripts/size.mjs entgate/slim 5900
check 'size, server' node scripts/size.mjs entgate/server 2500
check 'size, testing' node scripts/size.mjs entgate/testing 970
check 'size, react' node scripts/size.mjs entgate/react 2000 entgate
check 'size, element' node scripts/size.mjs entgate/element 1500 entgate
check 'size, openfeature' node scripts/size.mjs entgate/openfeature 1350 entgate

[ ${#failed[@]} = 0 ] || fail "${#failed[@]} failed: $(printf '%s; ' "${failed[@]}")"
