# shellcheck shell=bash
# Sourced by every script: changes to the project's folder, sets the paths of its tools, and defines shared functions.

if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
    echo "error: bash 4.4 or newer is required, this is $BASH_VERSION. On macOS run: brew install bash" >&2
    exit 1
fi

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
root=$PWD
# shellcheck source=scripts/versions.env
. scripts/versions.env

export PATH="$root/.tools/bin:$root/node_modules/.bin:$PATH"
export WRANGLER_SEND_METRICS=false
# Node keeps what it has compiled: a test file starts in half of the time.
export NODE_COMPILE_CACHE=$root/target/node-compile-cache

# Written by setup.sh. They set RUSTUP_TOOLCHAIN for all builds, WASM_TOOLCHAIN for wasm builds, CHROME, CHROMEDRIVER
# and HEADLESS_SHELL.
for env_file in .tools/env .tools/env.chrome; do
    # shellcheck source=/dev/null
    if [ -f "$env_file" ]; then . "$env_file"; fi
done

# Runs a command with the toolchain that has the wasm target.
wasm() {
    RUSTUP_TOOLCHAIN=$WASM_TOOLCHAIN "$@"
}

# Optimizes a wasm file: -Oz for size, -O3 for speed. Enables only the features that rustc and wasm-bindgen use: any other feature
# would exclude older engines.
optimize() {
    # Renamed at the end: an interrupted run must not leave an incomplete file.
    wasm-opt "$1" --converge --strip-debug --strip-producers --enable-mutable-globals --enable-sign-ext \
        --enable-nontrapping-float-to-int --enable-bulk-memory --enable-multivalue --enable-reference-types \
        --enable-exception-handling --enable-simd "$2" -o "$2.optimized" &&
        mv "$2.optimized" "$2"
}

fail() {
    printf 'error: %s\n' "$@" >&2
    exit 1
}
