#!/usr/bin/env bash
# Builds the Worker into build/, and the npm package with scripts/npm.sh. Exits early if build/ is newer than its sources.
#
# ENTGATE_CATALOG=no omits the built-in catalog. The Worker is then smaller, and its source is Stripe. ENTGATE_BUILD_DIR is the folder to
# write instead of build/.
#
# Wrangler runs this script as its build command: `wrangler dev` on each change, `wrangler deploy` before it uploads.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

scripts/npm.sh

case ${ENTGATE_CATALOG:-yes} in
yes) optional_features=catalog ;;
no) optional_features='' ;;
*) fail "ENTGATE_CATALOG is \`$ENTGATE_CATALOG\`; expected yes or no" ;;
esac

build=${ENTGATE_BUILD_DIR:-build}
# Contains the optional features of the last build.
stamp=$build/.built
if [ -f "$build/worker.wasm" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$optional_features" ] &&
    [ -z "$(find src Cargo.toml Cargo.lock scripts/build.sh .tools/env -newer "$stamp" -print -quit)" ]; then
    exit
fi

if ! command -v wasm-bindgen >/dev/null || ! [ -f .tools/env ] || ! [ -f node_modules/.installed ]; then
    scripts/setup.sh build
    . scripts/env.sh
fi

# Created before the build starts. A source that changes during the build is newer than the stamp, so the next run rebuilds.
out=target/worker/build
rm -rf "$out"
mkdir -p "$build" "$out"
new_stamp=$(mktemp "$build/.started.XXXX")
trap 'rm -f "$new_stamp"' EXIT
echo "$optional_features" >"$new_stamp"

# Builds one of the Worker's two cores: its Cargo feature, its Cargo profile, and the level for wasm-opt.
build_core() {
    local feature=$1 profile=$2 level=$3 name=${1//-/_} compiled=${CARGO_TARGET_DIR:-target}/wasm32-unknown-unknown
    # With simd128 the sha2 crate uses vector instructions. Every Workers runtime supports simd128.
    RUSTFLAGS=-Ctarget-feature=+simd128 wasm cargo rustc --quiet --profile "$profile" --lib --crate-type cdylib \
        --target wasm32-unknown-unknown --no-default-features --features "$feature,$optional_features"
    wasm-bindgen --target web --no-typescript --experimental-reset-state-function --remove-name-section \
        --remove-producers-section --out-dir target/worker --out-name "$name" "$compiled/$profile/entgate.wasm"
    optimize "$level" "target/worker/${name}_bg.wasm"
    cp "target/worker/${name}_bg.wasm" "$out/$name.wasm"
}

# Bundles one JavaScript entry: its source, and its file name in build/.
bundle_script() {
    esbuild "$1" --bundle --format=esm --target=es2022 --minify --legal-comments=none --log-level=warning \
        --external:./{fast_path,worker}.wasm --external:./worker.js '--external:cloudflare:*' --alias:entgate-fast-path=./target/worker/fast_path.js \
        --alias:entgate-worker=./target/worker/worker.js --inject:./src/worker/microtask.js --outfile="$out/$2"
}

echo "build: the fast path core … (about 30 s)"
build_core fast-path fast-path -O3
echo "build: the worker core … (about 90 s)"
# Inlined functions save calls. Gzipped, the file is 0.15 % larger than with -Oz.
build_core worker release -O3
bundle_script src/worker/entry.js index.js
bundle_script src/worker/worker.js worker.js

# Wrangler uploads every file in build/: remove the files of earlier builds.
rm -f "$build"/*.js "$build"/*.wasm
cp "$out"/* "$build"
mv "$new_stamp" "$stamp"
