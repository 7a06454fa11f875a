# shellcheck shell=bash
# Sourced by every script: the project's folder, the way to its tools, and what several scripts do.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
root=$PWD
# shellcheck source=scripts/versions.env
. scripts/versions.env

export PATH="$root/.tools/bin:$root/node_modules/.bin:$PATH"
export WRANGLER_SEND_METRICS=false

# What setup.sh found or chose: RUSTUP_TOOLCHAIN for everything, WASM_TOOLCHAIN for what is built for wasm; CHROME and
# CHROMEDRIVER.
for chosen in .tools/env .tools/env.chrome; do
    # shellcheck source=/dev/null
    if [ -f "$chosen" ]; then . "$chosen"; fi
done

# Runs a command with the toolchain that has the wasm target.
wasm() {
    RUSTUP_TOOLCHAIN=$WASM_TOOLCHAIN "$@"
}

# Makes a wasm file better: -Oz for size, -O3 for speed. The features are those rustc and wasm-bindgen use: others would shut
# out older engines.
optimize() {
    # Moved at the end, so that whoever is interrupted leaves no half of a file behind.
    wasm-opt "$1" --converge --strip-debug --strip-producers --enable-mutable-globals --enable-sign-ext \
        --enable-nontrapping-float-to-int --enable-bulk-memory --enable-multivalue --enable-reference-types \
        --enable-exception-handling --enable-simd "$2" -o "$2.better" &&
        mv "$2.better" "$2"
}

fail() {
    printf 'error: %s\n' "$@" >&2
    exit 1
}
