#!/usr/bin/env bash
# Sets up what building needs (`setup.sh build`), or what the checks (`check`) or the tests (`test`) need too.
#
# Whatever is there in the right version is left as it is, so a second run takes no time. Tools go to .tools/ and
# node_modules/. Only compilers, Chromium, Python's venv and proxies come from the system's packages, and only where
# they are missing. crates.io, npm, PyPI and Debian's packages are enough; rustup's downloads are used where they are in reach.
#
# ENTGATE_WASM_FROM=debian takes the wasm target from Debian's packages even where rustup could fetch it.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

purpose=${1:-build}
logs=.tools/log
mkdir -p "$logs"

# Runs a step with its output in a log of its own. `about` is in seconds, on two cores.
attempt() {
    local log=$logs/$1 what=$2 about=$3
    shift 3
    printf 'setup: %s … (about %s s)\n' "$what" "$about"
    "$@" >"$log" 2>&1
}

# Ends with what was tried, the error, and what to do about it.
give_up() {
    local log=$logs/$1 what=$2 advice=$3
    tail -n 30 "$log" >&2
    fail "setup: $what: this did not work, see above; all of the output is in $log" "$advice"
}

# A step that has to work.
step() {
    local advice=$1
    shift
    attempt "$@" || give_up "$1" "$2" "$advice"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "this needs root, and there is no sudo"
        return 1
    fi
}

apt_install() {
    as_root apt-get -q update &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$@"
}

# Installs packages, given as versions.env has them: in one string.
packages() {
    local log=$1 what=$2 about=$3 names
    read -ra names <<<"$4"
    command -v apt-get >/dev/null || fail "setup: $what: missing" "Install your system's counterpart of Debian's $4"
    step "Run as root: apt-get update && apt-get install $4" "$log" "$what" "$about" apt_install "${names[@]}"
}

on_offer() {
    command -v apt-get >/dev/null || return
    [ -n "$(apt-cache search --names-only "^$1\$")" ] && return
    as_root apt-get -q update >"$logs/apt" 2>&1 && [ -n "$(apt-cache search --names-only "^$1\$")" ]
}

version() {
    "$@" --version 2>/dev/null || true
}

# --- Node and a C compiler ---

command -v npm >/dev/null || fail "Node 20 or newer is needed, and npm with it: https://nodejs.org"
[ "$(node -p 'parseInt(process.versions.node)')" -ge 20 ] ||
    fail "Node $(node --version) is too old: 20 or newer is needed, see https://nodejs.org"

if ! { command -v cc && pkg-config --exists openssl; } >/dev/null 2>&1; then
    packages cc "a C compiler and OpenSSL's headers" 30 "$DEBIAN_CC"
fi

# --- Rust ---

has_wasm() {
    compgen -G "$(rustc "+$1" --print target-libdir --target wasm32-unknown-unknown)/libstd-*.rlib" >/dev/null
}

choose_native() {
    unset RUSTUP_TOOLCHAIN
    local found
    found=$(version rustc | cut -d' ' -f2)
    native=$(rustup show active-toolchain 2>/dev/null | cut -d' ' -f1)
    if [ "$found" = "$RUST" ]; then
        return
    elif rustup toolchain list | grep -q "^$RUST-"; then
        native=$RUST
    elif attempt rust "Rust $RUST" 40 \
        timeout 180 rustup toolchain install "$RUST" --profile minimal --component clippy,rustfmt; then
        native=$RUST
    elif printf '%s\n' "$RUST_MIN" "${found:-0}" | sort --check=quiet --version-sort; then
        echo "setup: Rust $RUST cannot be fetched; going on with $found"
    else
        give_up rust "Rust $RUST" "Rust $RUST_MIN or newer is needed, here is ${found:-none}. Try: rustup update stable"
    fi
}

choose_wasm() {
    wasm=$native
    if [ "${ENTGATE_WASM_FROM:-}" = debian ]; then
        debian_wasm
    elif ! has_wasm "$native"; then
        attempt wasm-target "the wasm target" 10 \
            timeout 180 rustup target add --toolchain "$native" wasm32-unknown-unknown || debian_wasm
    fi
}

# Debian keeps a recent Rust for its browsers, and the source of its library with it. The library is built for wasm
# once and put beside the others; from then on it is a toolchain like any other.
debian_wasm() {
    wasm=debian
    on_offer rustc-web || give_up wasm-target "the wasm target" \
        "Debian's package rustc-web would do, but is not on offer. Try: rustup target add --toolchain $native wasm32-unknown-unknown"
    packages debian-rust "the wasm target from Debian's packages" 30 "$DEBIAN_RUST"
    step "Its source is in the package rust-web-src, its dependencies are on crates.io: is that in reach?" \
        std "the wasm target's library from source" 40 build_std
}

build_std() {
    local dummy=$root/.tools/std lib=/usr/lib/rustlib/wasm32-unknown-unknown/lib
    local built=$dummy/target/wasm32-unknown-unknown/release/deps
    rustup toolchain link debian /usr && rm -rf "$dummy" && mkdir -p "$dummy/src" &&
        printf '[package]\nname = "dummy"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n' >"$dummy/Cargo.toml" &&
        printf '#![no_std]\n' >"$dummy/src/lib.rs" &&
        RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes CARGO_TARGET_DIR=$dummy/target cargo +debian build --release \
            --manifest-path "$dummy/Cargo.toml" --target wasm32-unknown-unknown -Zbuild-std=std,panic_abort,test &&
        rm "$built"/libdummy-* &&
        as_root rm -rf "$lib" && as_root mkdir -p "$lib" && as_root cp "$built"/*.rlib "$lib" &&
        rm -rf "$dummy"
}

# The first line of .tools/env. Debian's compiler is in it since an upgrade makes what the old one built unreadable.
question() {
    echo "# $RUST ${ENTGATE_WASM_FROM:-rustup} $(version /usr/bin/rustc)"
}

command -v rustup >/dev/null || fail "rustup is needed: https://rustup.rs"

if ! { [ "$(head -n 1 .tools/env)" = "$(question)" ] && has_wasm "$WASM_TOOLCHAIN"; } 2>/dev/null; then
    choose_native
    choose_wasm
    printf '%s\nexport RUSTUP_TOOLCHAIN=%s\nWASM_TOOLCHAIN=%s\n' "$(question)" "$native" "$wasm" >.tools/env
    # shellcheck source=/dev/null
    . .tools/env
fi

if [ "$purpose" != build ] && ! { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1; then
    step "Try: rustup component add --toolchain $RUSTUP_TOOLCHAIN clippy rustfmt" components "clippy and rustfmt" 10 \
        timeout 180 rustup component add --toolchain "$RUSTUP_TOOLCHAIN" clippy rustfmt
fi

# --- The tools written in Rust: compiled while everything below is fetched ---

# They run for a second and compile for minutes, so nothing is optimized; and they share a target folder, as they share
# most of their crates. Not `--locked`: wasm-bindgen-cli's lock file does not build.
install_crates() {
    CARGO_TARGET_DIR=$root/.tools/target CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0 \
        cargo install --root "$root/.tools" --force "$@" && rm -rf .tools/target
}

# The command line has to be of the same version as the crate.
bindgen=$(grep -A1 '^name = "wasm-bindgen"$' Cargo.lock | sed -n 's/^version = "\(.*\)"$/\1/p')

crates=()
[ "$(version wasm-bindgen)" = "wasm-bindgen $bindgen" ] || crates+=("wasm-bindgen-cli@$bindgen")
if [ "$purpose" = test ] && [ "$(version wasm-pack)" != "wasm-pack $WASM_PACK" ]; then
    crates+=("wasm-pack@$WASM_PACK")
fi

compiling=
if [ ${#crates[@]} -gt 0 ]; then
    # A process group of its own, so that a failure or Ctrl-C below ends the compilers too.
    set -m
    attempt crates "compiling ${crates[*]}" $((60 * ${#crates[@]})) install_crates "${crates[@]}" &
    compiling=$!
    set +m
    trap 'kill -- "-$compiling" 2>/dev/null || true' EXIT
fi

# --- npm's tools, and secrets to try things out with ---

if ! cmp -s package-lock.json node_modules/.installed; then
    step "Is npm's registry in reach?" npm "npm's packages" 20 npm ci --no-audit --no-fund
    cp package-lock.json node_modules/.installed
fi

[ -f .dev.vars ] || cp .dev.vars.example .dev.vars

# --- What only the tests need: curl for the README's commands, a browser, Python's packages, and proxies ---

major() {
    version "$1" | grep -o '[0-9]\+' | head -n 1
}

find_chrome() {
    local name
    for name in chromium google-chrome google-chrome-stable chromium-browser; do
        # Ubuntu's stubs are there and do not start.
        if [ -n "$(major "$name")" ]; then
            chrome=$(command -v "$name")
            return
        fi
    done
    return 1
}

find_chrome_and_driver() {
    find_chrome && [ "$(major chromedriver)" = "$(major "$chrome")" ] && chromedriver=$(command -v chromedriver)
}

set_up_chrome() {
    local chrome='' chromedriver=''
    if ! find_chrome_and_driver && on_offer chromium-driver; then
        packages chromium "Chromium and its driver" 60 "$DEBIAN_CHROMIUM"
        find_chrome_and_driver || true
    fi
    if [ -z "$chrome" ]; then
        step "Install Chrome or Chromium yourself, so that 'google-chrome' or 'chromium' starts it." \
            chromium "Chromium from Playwright" 60 playwright-core install --with-deps chromium
        chrome=$(node -p 'require("playwright-core").chromium.executablePath()')
    fi
    # Where there is no driver, wasm-pack fetches one.
    printf 'export CHROME=%q\nCHROMEDRIVER=%q\n' "$chrome" "$chromedriver" >.tools/env.chrome
    # For wasm-bindgen's test runner, which looks for it here. No sandbox: root has none, nor have most containers.
    cat >webdriver.json <<JSON
{
  "goog:chromeOptions": {
    "binary": "$chrome",
    "args": [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--no-first-run"
    ]
  }
}
JSON
}

# Whether all of them are there, in these versions.
has_pypi() {
    local wanted name
    for wanted in $PYPI; do
        # A folder has the name with `_` for `-`, in whatever case its author wrote it.
        name=${wanted%%[[=]*}
        find .tools/venv/lib/*/site-packages -maxdepth 1 -iname "${name//-/_}-${wanted##*==}.dist-info" 2>/dev/null |
            grep -q . || return
    done
}

install_pypi() {
    local wanted
    read -rd '' -a wanted <<<"$PYPI" || true
    { [ -x .tools/venv/bin/pip ] || python3 -m venv --clear .tools/venv; } && .tools/venv/bin/pip install "${wanted[@]}"
}

set_up_pypi() {
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        packages python "Python and its venv" 20 "$DEBIAN_PYTHON"
    fi
    step "Is PyPI in reach?" pypi "Python's packages" 20 install_pypi
}

has_proxies() {
    local name
    for name in $DEBIAN_PROXIES; do
        command -v "$name" "/usr/sbin/$name" .tools/proxies/usr/{s,}bin/"$name" >/dev/null || return
    done
}

# Unpacked and not installed: installed, each would be a service on port 80.
unpack_proxies() (
    read -ra names <<<"$DEBIAN_PROXIES"
    rm -rf .tools/proxies && mkdir -p .tools/proxies && cd .tools/proxies && apt-get -q download "${names[@]}" || exit
    for package in *.deb; do dpkg-deb -x "$package" . || exit; done
    rm ./*.deb
)

set_up_proxies() {
    on_offer caddy || fail "setup: nginx and Caddy: missing" "Install them yourself, so that 'nginx' and 'caddy' start them."
    step "Is Debian's mirror in reach? Or install them yourself." proxies "nginx and Caddy" 10 unpack_proxies
}

if [ "$purpose" = test ]; then
    if ! cmp -s tests/package/package-lock.json tests/package/node_modules/.installed; then
        step "Is npm's registry in reach?" frameworks "the frameworks that the package is tried in" 20 \
            npm ci --prefix tests/package --no-audit --no-fund
        cp tests/package/package-lock.json tests/package/node_modules/.installed
    fi
    command -v curl >/dev/null || packages curl curl 5 curl
    if ! [ -f webdriver.json ] || ! [ -x "${CHROME:-}" ]; then set_up_chrome; fi
    has_pypi || set_up_pypi
    has_proxies || set_up_proxies
fi

if [ -n "$compiling" ]; then
    wait "$compiling" || give_up crates "compiling ${crates[*]}" "Is crates.io in reach?"
    trap - EXIT
fi
