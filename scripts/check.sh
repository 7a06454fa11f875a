#!/usr/bin/env bash
# Checks format, lints, types, docs, builds and sizes, or with the argument `quick` only format and lints. Every check runs even if an
# earlier one fails. Prints the output of each failed check.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

# Maximum gzipped size in bytes of the wasm of the Worker's two cores: the last measured size plus a tenth.
FAST_PATH_BUDGET=137000
WORKER_BUDGET=629000

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

finish() {
    [ ${#failed[@]} = 0 ] || fail "${#failed[@]} failed: $(printf '%s; ' "${failed[@]}")"
    exit
}

clippy() {
    cargo clippy --quiet "$@" -- -D warnings
}

docs() {
    RUSTDOCFLAGS='-D warnings' wasm cargo doc --quiet --no-deps "${target[@]}" --features fast-path,worker,browser
}

size() {
    local bytes
    bytes=$(gzip -9c "$1" | wc -c)
    echo "$bytes of $2 bytes"
    [ "$bytes" -le "$2" ]
}

# Crates outside the workspace have lock files of their own, which a new dependency of entgate changes too.
lock_files() {
    local folder
    for folder in . fuzz benches/core benches/scale scripts/wasm-tools; do
        cargo update --quiet --workspace --locked --manifest-path "$folder/Cargo.toml" || {
            echo "run: cargo update --workspace --manifest-path $folder/Cargo.toml"
            return 1
        }
    done
}

# The crates that no other check or test compiles.
other_crates() {
    local folder
    for folder in fuzz benches/core benches/scale; do
        cargo check --quiet --locked --manifest-path "$folder/Cargo.toml" --target-dir target/other-crates || return
    done
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
check 'lock files' lock_files
check 'pages' node scripts/check-docs.mjs
check 'shell scripts' shell_scripts
# Biome formats and lints JavaScript and TypeScript. TypeScript checks the types of both: in JavaScript they are in JSDoc.
check 'format, lint, JS' biome ci --error-on-warnings
check 'clippy, native' clippy --all-targets
if [ "${1:-}" = quick ]; then finish; fi

# Before the types: some scripts import the built package.
check 'build, npm' scripts/npm.sh
check 'types, JS' tsc -p tsconfig.check.json
check 'openapi.json' node scripts/openapi.mjs --check
check 'core alone' cargo check --quiet --no-default-features
check 'fuzz, benches' other_crates
# Without the catalog. 'clippy, all' includes it.
check 'clippy, edge' wasm clippy "${target[@]}" --no-default-features --features fast-path,worker
check 'clippy, browser' wasm clippy "${target[@]}" --features browser
check 'clippy, all' wasm clippy "${target[@]}" --features fast-path,worker,browser
check 'docs' docs
check 'build, worker' scripts/build.sh
check 'size, fast path' size build/fast_path.wasm "$FAST_PATH_BUDGET"
check 'size, worker' size build/worker.wasm "$WORKER_BUDGET"
# Minified and gzipped size in bytes that each entry of the npm package adds to a page. The budgets of entgate, and of react and
# element on top of it, are documented promises. The others are the last measured size plus a tenth.
check 'size, entgate' node scripts/size.mjs entgate 12000
check 'size, slim' node scripts/size.mjs entgate/slim 6500
check 'size, server' node scripts/size.mjs entgate/server 3930
check 'size, testing' node scripts/size.mjs entgate/testing 970
check 'size, react' node scripts/size.mjs entgate/react 2000 entgate
check 'size, element' node scripts/size.mjs entgate/element 1500 entgate
check 'size, openfeature' node scripts/size.mjs entgate/openfeature 1350 entgate

finish
