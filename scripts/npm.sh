#!/usr/bin/env bash
# Builds the npm package into www/npm/dist: the Rust core as wasm, one entry for each way to load it, the types, and the command line.
# Exits early if the package is newer than its sources. `npm pack` in www/npm creates the tarball.
#
# Also writes www/console/entgate.js, the minified first entry. The console uses the package but has no bundler.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

dist=www/npm/dist
core=target/npm
compiled=${CARGO_TARGET_DIR:-target}/wasm32-unknown-unknown/browser/entgate.wasm
page=www/console/entgate.js

stamp=$core/.built
if [ -f "$dist/index.js" ] && [ -f "$page" ] && [ -f "$stamp" ] &&
    [ -z "$(find src Cargo.toml Cargo.lock www/npm/{src,cli,package.json,tsconfig.json} www/console/{shell,*client.js,form.js,curl.js,activity-feed.js} \
        LICENSE-* scripts/npm.sh scripts/npm.mjs .tools/env -newer "$stamp" -print -quit)" ]; then
    exit
fi

if ! command -v wasm-bindgen >/dev/null || ! command -v wasm-opt >/dev/null || ! command -v tsc >/dev/null || ! [ -f .tools/env ]; then
    scripts/setup.sh build
    . scripts/env.sh
fi

# Created before the build starts. A source that changes during the build is newer than the stamp, so the next run rebuilds.
mkdir -p "$core"
new_stamp=$(mktemp "$core/.started.XXXX")
trap 'rm -f "$new_stamp"' EXIT

echo "build: the npm package … (about 20 s)"

# The core's call depth is small. A stack of one page (64 KiB) reduces the memory that a web page allocates.
wasm cargo rustc --quiet --profile browser --lib --crate-type cdylib --target wasm32-unknown-unknown --features browser \
    -- -C link-arg=-zstack-size=65536

# Only numbers cross the boundary to JavaScript. wasm-bindgen names the exports; its JavaScript glue is not used. wasm-metadce then
# removes every function that the exports listed below do not reach.
wasm-bindgen --target bundler --out-dir "$core" "$compiled"
cat >"$core/roots.json" <<'JSON'
[
  { "name": "core", "root": true, "reaches": ["memory", "buffer_ptr", "load", "check", "verify"] },
  { "name": "memory", "export": "memory" },
  { "name": "buffer_ptr", "export": "buffer_ptr" },
  { "name": "load", "export": "load" },
  { "name": "check", "export": "check" },
  { "name": "verify", "export": "verify" }
]
JSON
features=(--enable-mutable-globals --enable-sign-ext --enable-nontrapping-float-to-int --enable-bulk-memory --enable-multivalue
    --enable-reference-types --enable-exception-handling)
wasm-metadce "${features[@]}" --graph-file "$core/roots.json" "$core/entgate_bg.wasm" -o "$core/reachable.wasm" >/dev/null
# Without the structure of LLVM's control flow the result compresses better.
wasm-opt "${features[@]}" --flatten --rereloop -O3 --converge -Oz --reorder-functions --reorder-locals \
    --strip-debug --strip-producers --strip-target-features "$core/reachable.wasm" -o "$core/entgate.wasm"

rm -rf "$dist"
mkdir -p "$dist"
cp "$core/entgate.wasm" "$dist"
cp LICENSE-* www/npm
tsc -p www/npm
node scripts/npm.mjs

# Renamed at the end: a page that loads during the build must not receive an incomplete file.
esbuild "$dist/index.js" --minify --format=esm --charset=utf8 --log-level=warning --outfile="$core/entgate.js"
mv "$core/entgate.js" "$page"

mv "$new_stamp" "$stamp"
