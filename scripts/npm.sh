#!/usr/bin/env bash
# Builds the npm package into www/npm/dist, unless it is there and newer than what it is made from: the Rust core in wasm,
# an entry for each way to load it, and their types. `npm pack` in www/npm makes the tarball of it.
#
# The console is a page that uses it, and has no bundler: www/console/entgate.js is its first entry, minified.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

dist=www/npm/dist
core=target/npm
compiled=${CARGO_TARGET_DIR:-target}/wasm32-unknown-unknown/browser/entgate.wasm
page=www/console/entgate.js

built=$core/.built
if [ -f "$dist/index.js" ] && [ -f "$page" ] && [ -f "$built" ] &&
    [ -z "$(find src Cargo.toml Cargo.lock www/npm/src www/npm/tsconfig.json LICENSE-* scripts/npm.sh scripts/npm.mjs .tools/env -newer "$built" -print -quit)" ]; then
    exit
fi

if ! command -v wasm-bindgen >/dev/null || ! command -v wasm-opt >/dev/null || ! command -v tsc >/dev/null || ! [ -f .tools/env ]; then
    scripts/setup.sh build
    . scripts/env.sh
fi

# Dated from before the build: what is saved while it runs makes the next one run.
mkdir -p "$core"
started=$(mktemp "$core/.started.XXXX")
trap 'rm -f "$started"' EXIT

# The core calls itself to no great depth. A stack of one page leaves a page less memory to come by.
wasm cargo rustc --quiet --profile browser --lib --crate-type cdylib --target wasm32-unknown-unknown --features browser \
    -- -C link-arg=-zstack-size=65536

# Only numbers cross to JavaScript: wasm-bindgen's command gives the exports their names, its JavaScript is not needed, and
# what of its own no export of ours reaches is left out.
wasm-bindgen --target bundler --out-dir "$core" "$compiled"
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

# Moved at the end, so that a page that is loaded meanwhile has all of it.
esbuild "$dist/index.js" --minify --format=esm --charset=utf8 --log-level=warning --outfile="$core/entgate.js"
mv "$core/entgate.js" "$page"

mv "$started" "$built"
