#!/usr/bin/env bash
# Builds the npm package into www/npm/dist: the Rust core in wasm, an entry for each way to load it, and their types.
# `npm pack` in www/npm makes the tarball of it.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

dist=www/npm/dist
core=target/npm
built=${CARGO_TARGET_DIR:-target}/wasm32-unknown-unknown/browser/entgate.wasm

if ! command -v wasm-bindgen >/dev/null || ! command -v wasm-opt >/dev/null || ! command -v tsc >/dev/null || ! [ -f .tools/env ]; then
    scripts/setup.sh build
    . scripts/env.sh
fi

# The core calls itself to no great depth. A stack of one page leaves a page less memory to come by.
wasm cargo rustc --quiet --profile browser --lib --crate-type cdylib --target wasm32-unknown-unknown --features browser \
    -- -C link-arg=-zstack-size=65536

# Only numbers cross to JavaScript: wasm-bindgen's command gives the exports their names, its JavaScript is not needed, and
# what of its own no export of ours reaches is left out.
wasm-bindgen --target bundler --out-dir "$core" "$built"
cat >"$core/roots.json" <<'JSON'
[
  { "name": "core", "root": true, "reaches": ["memory", "text", "read", "check", "verify"] },
  { "name": "memory", "export": "memory" },
  { "name": "text", "export": "text" },
  { "name": "read", "export": "read" },
  { "name": "check", "export": "check" },
  { "name": "verify", "export": "verify" }
]
JSON
features=(--enable-mutable-globals --enable-sign-ext --enable-nontrapping-float-to-int --enable-bulk-memory --enable-multivalue
    --enable-reference-types --enable-exception-handling)
wasm-metadce "${features[@]}" --graph-file "$core/roots.json" "$core/entgate_bg.wasm" -o "$core/reached.wasm" >/dev/null
wasm-opt "${features[@]}" -O3 --converge -Oz --strip-debug --strip-producers --strip-target-features \
    "$core/reached.wasm" -o "$core/entgate.wasm"

rm -rf "$dist"
mkdir -p "$dist"
cp "$core/entgate.wasm" "$dist"
cp LICENSE-* www/npm
tsc -p www/npm
node scripts/npm.mjs
