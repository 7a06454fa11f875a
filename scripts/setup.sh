#!/usr/bin/env bash
# Installs the tools for a build (`setup.sh build`), and also for the checks (`setup.sh check`), the tests (`setup.sh test`) or the tests
# with clients of Stripe (`setup.sh clients`).
#
# A tool that is installed in the right version is not changed, so a second run is fast. Tools go to .tools/ and node_modules/.
# Compilers, Chromium, Python's venv, the proxies and PostgreSQL come from system packages if they are missing. crates.io, npm, PyPI and
# Debian's packages are sufficient. The script uses rustup's downloads if they are reachable.
#
# ENTGATE_WASM_FROM=debian installs the wasm target from Debian's packages even if rustup could download it.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

purpose=${1:-build}

# Whether the purpose is one of these.
is_for() { [[ " $* " == *" $purpose "* ]]; }

logs=.tools/log
mkdir -p "$logs"

# Runs a command and writes its output to a log file. `estimate` is its duration in seconds on two cores.
run_logged() {
    local log=$logs/$1 what=$2 estimate=$3
    shift 3
    printf 'setup: %s … (about %s s)\n' "$what" "$estimate"
    "$@" >"$log" 2>&1
}

# Exits with the end of a log file and advice.
fail_step() {
    local log=$logs/$1 what=$2 advice=$3
    tail -n 30 "$log" >&2
    fail "setup: failed: $what. The complete output is in $log" "$advice"
}

# Runs a required command. Exits with the given advice if it fails.
step() {
    local advice=$1
    shift
    run_logged "$@" || fail_step "$1" "$2" "$advice"
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

# Installs system packages. Their names are one string, as in versions.env.
install_packages() {
    local log=$1 what=$2 estimate=$3 names
    read -ra names <<<"$4"
    command -v apt-get >/dev/null || fail "setup: $what: not found" "Install your system's equivalent of these Debian packages: $4"
    step "Run as root: apt-get update && apt-get install $4" "$log" "$what" "$estimate" apt_install "${names[@]}"
}

# Whether apt can install a package.
is_available() {
    command -v apt-get >/dev/null || return
    [ -n "$(apt-cache search --names-only "^$1\$")" ] && return
    as_root apt-get -q update >"$logs/apt" 2>&1 && [ -n "$(apt-cache search --names-only "^$1\$")" ]
}

version() {
    "$@" --version 2>/dev/null || true
}

# Runs a command for at most three minutes. macOS has no `timeout`: there it runs without a limit.
with_timeout() {
    if command -v timeout >/dev/null; then timeout 180 "$@"; else "$@"; fi
}

# --- Node and a C compiler ---

# Whether `node` is new enough for Wrangler.
has_node() {
    node -e 'const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 22 || (major === 22 && minor >= 12) ? 0 : 1)'
}

# Installs Node from npm, which has one package for each platform.
install_node() {
    local name
    name=$(node -p '`node-${process.platform}-${process.arch}`')
    npm install --prefix .tools/node --no-save --no-audit --no-fund --ignore-scripts "$name@$NODE" &&
        mkdir -p .tools/bin && ln -sf "../node/node_modules/$name/bin/node" .tools/bin/node && hash -r && has_node
}

command -v npm >/dev/null || fail "Node and npm are required: https://nodejs.org"
has_node || step "Install Node 22.12 or newer: https://nodejs.org" node "Node $NODE, because $(node --version) is older than 22.12" 10 install_node

# Also for C++: a check compiles the fuzz targets, which link libFuzzer.
{ command -v cc && command -v c++; } >/dev/null || case $(uname) in
Darwin) fail "A C compiler is required. Run: xcode-select --install" ;;
*) install_packages cc "compilers for C and C++" 30 "$DEBIAN_CC" ;;
esac

# --- Rust ---

has_wasm() {
    compgen -G "$(rustc "+$1" --print target-libdir --target wasm32-unknown-unknown)/libstd-*.rlib" >/dev/null
}

# The oldest Rust that compiles the crate with all features.
RUST_MIN=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)

choose_native() {
    unset RUSTUP_TOOLCHAIN
    local found
    found=$(version rustc | cut -d' ' -f2)
    native=$(rustup show active-toolchain 2>/dev/null | cut -d' ' -f1)
    if [ "$found" = "$RUST" ]; then
        return
    elif rustup toolchain list | grep -q "^$RUST-"; then
        native=$RUST
    elif run_logged rust "Rust $RUST" 40 \
        with_timeout rustup toolchain install "$RUST" --profile minimal --component clippy,rustfmt; then
        native=$RUST
    elif printf '%s\n' "$RUST_MIN" "${found:-0}" | sort -C -V; then
        echo "setup: failed to download Rust $RUST; using $found"
    else
        fail_step rust "Rust $RUST" "Rust $RUST_MIN or newer is required; found ${found:-no version}. Try: rustup update stable"
    fi
}

choose_wasm() {
    wasm=$native
    if [ "${ENTGATE_WASM_FROM:-}" = debian ]; then
        use_debian_wasm
    elif ! has_wasm "$native"; then
        run_logged wasm-target "the wasm target" 10 \
            with_timeout rustup target add --toolchain "$native" wasm32-unknown-unknown || use_debian_wasm
    fi
}

# Debian packages a recent Rust for its browsers, with the source of the standard library. This builds the library for wasm once and
# installs it next to the native one. The result is a regular rustup toolchain.
use_debian_wasm() {
    wasm=debian
    is_available rustc-web || fail_step wasm-target "the wasm target" \
        "Debian's package rustc-web is not available either. Try: rustup target add --toolchain $native wasm32-unknown-unknown"
    install_packages debian-rust "the wasm target from Debian's packages" 30 "$DEBIAN_RUST"
    step "The package rust-web-src has its source, crates.io its dependencies. Is crates.io reachable?" \
        std "the standard library for wasm from source" 40 build_std
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

# The first line of .tools/env: a change of any of these versions selects the toolchains again. It includes Debian's compiler because
# an upgraded compiler cannot read what the old one built.
toolchain_key() {
    echo "# $RUST ${ENTGATE_WASM_FROM:-rustup} $(version /usr/bin/rustc)"
}

command -v rustup >/dev/null || fail "rustup is required: https://rustup.rs"

if ! { [ "$(head -n 1 .tools/env)" = "$(toolchain_key)" ] && has_wasm "$WASM_TOOLCHAIN"; } 2>/dev/null; then
    choose_native
    choose_wasm
    printf '%s\nexport RUSTUP_TOOLCHAIN=%s\nWASM_TOOLCHAIN=%s\n' "$(toolchain_key)" "$native" "$wasm" >.tools/env
    # shellcheck source=/dev/null
    . .tools/env
fi

if is_for check test && ! { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1; then
    step "Try: rustup component add --toolchain $RUSTUP_TOOLCHAIN clippy rustfmt" components "clippy and rustfmt" 10 \
        with_timeout rustup component add --toolchain "$RUSTUP_TOOLCHAIN" clippy rustfmt
fi

# --- wasm-bindgen and wasm-pack: they compile in the background while the steps below download ---

# The command-line tool must have the same version as the crate.
bindgen=$(grep -A1 '^name = "wasm-bindgen"$' Cargo.lock | sed -n 's/^version = "\(.*\)"$/\1/p')
wasm_pack=$(sed -n 's/^wasm-pack = .*version = "=\([0-9.]*\)".*/\1/p' scripts/wasm-tools/Cargo.toml)

has_bindgen() {
    [ "$(version wasm-bindgen)" = "wasm-bindgen $bindgen" ]
}

sha256() {
    if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}

# Downloads the release of wasm-bindgen, and compares its checksum with the one that is published beside it.
download_bindgen() {
    local platform name url
    case $(uname -sm) in
    'Linux x86_64') platform=x86_64-unknown-linux-musl ;;
    'Linux aarch64') platform=aarch64-unknown-linux-musl ;;
    'Darwin x86_64') platform=x86_64-apple-darwin ;;
    'Darwin arm64') platform=aarch64-apple-darwin ;;
    *) return 1 ;;
    esac
    name=wasm-bindgen-$bindgen-$platform
    url=$WASM_BINDGEN_RELEASES/$bindgen/$name.tar.gz
    rm -rf .tools/download && mkdir -p .tools/download .tools/bin &&
        curl -fsSL --connect-timeout 5 --max-time 120 -o ".tools/download/$name.tar.gz" "$url" &&
        curl -fsSL --connect-timeout 5 --max-time 20 -o .tools/download/sha256sum "$url.sha256sum" &&
        [ "$(sha256 ".tools/download/$name.tar.gz")" = "$(cut -d' ' -f1 .tools/download/sha256sum)" ] &&
        tar -xzf ".tools/download/$name.tar.gz" -C .tools/download &&
        mv -f ".tools/download/$name/"wasm-bindgen{,-test-runner} .tools/bin && rm -rf .tools/download && hash -r && has_bindgen
}

# Compiles wasm-bindgen, and wasm-pack if the arguments name that feature.
compile_wasm_tools() {
    local built=.tools/target/release
    CARGO_TARGET_DIR=.tools/target cargo build --release --locked --manifest-path scripts/wasm-tools/Cargo.toml "$@" && mkdir -p .tools/bin &&
        { has_bindgen || { mv -f $built/wasm-bindgen-command .tools/bin/wasm-bindgen && mv -f $built/wasm-bindgen-test-runner .tools/bin; }; } &&
        { [ $# = 0 ] || mv -f $built/wasm-pack .tools/bin; } && rm -rf .tools/target
}

if ! has_bindgen && command -v curl >/dev/null; then
    run_logged bindgen "wasm-bindgen $bindgen" 5 download_bindgen || echo "setup: failed to download wasm-bindgen $bindgen; compiling it"
fi

missing=()
features=()
has_bindgen || missing+=("wasm-bindgen $bindgen")
if is_for test && [ "$(version wasm-pack)" != "wasm-pack $wasm_pack" ]; then
    missing+=("wasm-pack $wasm_pack")
    features=(--features wasm-pack)
fi

compiling=
if [ ${#missing[@]} -gt 0 ]; then
    # In a separate process group: a failure or Ctrl-C below then stops the compilers too.
    set -m
    run_logged wasm-tools "compiling ${missing[*]}" $((60 + 40 * ${#features[@]})) compile_wasm_tools ${features[@]+"${features[@]}"} &
    compiling=$!
    set +m
    trap 'kill -- "-$compiling" 2>/dev/null || true' EXIT
fi

# --- npm packages, and the secrets for development ---

if ! cmp -s package-lock.json node_modules/.installed; then
    step "Is npm's registry reachable?" npm "npm packages" 20 npm ci --no-audit --no-fund
    cp package-lock.json node_modules/.installed
fi

[ -f .dev.vars ] || cp .dev.vars.example .dev.vars

# --- For the tests only: curl and zsh for the documented commands, a browser, Python packages, and proxies ---

major() {
    version "$1" | grep -oE '[0-9]+' | head -n 1
}

find_chrome() {
    local name
    for name in chromium google-chrome google-chrome-stable chromium-browser; do
        # On Ubuntu a stub may exist that does not start.
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

# The headless shell of the same Chromium: its engine without windows. Playwright starts it. wasm-pack drives the complete browser.
find_headless_shell() {
    local name
    for name in chromium-headless-shell chrome-headless-shell; do
        if [ "$(major "$name")" = "$(major "$chrome")" ]; then
            headless_shell=$(command -v "$name")
            return
        fi
    done
    return 1
}

set_up_chrome() {
    local chrome='' chromedriver='' headless_shell=''
    if ! find_chrome_and_driver && is_available chromium-driver; then
        install_packages chromium "Chromium and its driver" 60 "$DEBIAN_CHROMIUM"
        find_chrome_and_driver || true
    fi
    if [ -z "$chrome" ]; then
        step "Install Chrome or Chromium: 'google-chrome' or 'chromium' must start it." \
            chromium "Chromium from Playwright" 60 playwright-core install --with-deps chromium
        chrome=$(node -p 'require("playwright-core").chromium.executablePath()')
    fi
    if ! find_headless_shell && is_available "$DEBIAN_HEADLESS_SHELL"; then
        install_packages headless-shell "Chromium's headless shell" 20 "$DEBIAN_HEADLESS_SHELL"
        find_headless_shell || true
    fi
    # Without a driver, wasm-pack downloads one. Without a headless shell, the tests start the complete browser.
    printf 'export CHROME=%q\nCHROMEDRIVER=%q\nexport HEADLESS_SHELL=%q\n' "$chrome" "$chromedriver" "$headless_shell" >.tools/env.chrome
    # wasm-bindgen's test runner reads this file. No sandbox: Chromium has none as root and in most containers.
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

# Whether every package of $PYPI is installed in its version.
has_pypi() {
    local wanted name
    for wanted in $PYPI; do
        # The folder name has `_` for `-`, and may differ in case.
        name=${wanted%%[[=]*}
        find .tools/venv/lib/*/site-packages -maxdepth 1 -iname "${name//-/_}-${wanted##*==}.dist-info" 2>/dev/null |
            grep -q . || return
    done
}

has_venv() {
    python3 -c 'import ensurepip, venv' 2>/dev/null
}

install_pypi() {
    local wanted
    read -rd '' -a wanted <<<"$PYPI" || true
    { [ -x .tools/venv/bin/pip ] || python3 -m venv --clear .tools/venv; } && .tools/venv/bin/pip install "${wanted[@]}"
}

set_up_pypi() {
    has_venv || install_packages python "Python and its venv" 20 "$DEBIAN_PYTHON"
    step "Is PyPI reachable?" pypi "Python packages" 20 install_pypi
}

has_proxies() {
    local name
    for name in $DEBIAN_PROXIES; do
        command -v "$name" "/usr/sbin/$name" .tools/proxies/usr/{s,}bin/"$name" >/dev/null || return
    done
}

# Unpacks the packages without installing them: an installed proxy would start a service on port 80.
unpack_proxies() (
    read -ra names <<<"$DEBIAN_PROXIES"
    rm -rf .tools/proxies && mkdir -p .tools/proxies && cd .tools/proxies && apt-get -q download "${names[@]}" || exit
    for package in *.deb; do dpkg-deb -x "$package" . || exit; done
    rm ./*.deb
)

set_up_proxies() {
    is_available caddy || fail "setup: nginx and Caddy: not found" "Install them: 'nginx' and 'caddy' must start them."
    step "Is Debian's mirror reachable? Otherwise install nginx and Caddy." proxies "nginx and Caddy" 10 unpack_proxies
}

# Installs the npm packages of a folder of tests, if its lock file has changed.
set_up_npm() {
    local folder=$1
    cmp -s "$folder/package-lock.json" "$folder/node_modules/.installed" && return
    step "Is npm's registry reachable?" "npm-${folder##*/}" "the npm packages of $folder" 20 npm ci --prefix "$folder" --no-audit --no-fund
    cp "$folder/package-lock.json" "$folder/node_modules/.installed"
}

# The examples, for the tests of the documentation.
if is_for test; then set_up_npm examples; fi
# The type check of the tests needs these too.
if is_for check test; then set_up_npm tests/package; fi

# --- For the tests with clients only: the clients, in folders of their own, and PostgreSQL ---

install_client_pypi() {
    python3 -m venv --clear .tools/clients && .tools/clients/bin/pip install --require-hashes -r tests/clients/requirements.txt &&
        cp tests/clients/requirements.txt .tools/clients/.installed
}

install_example_pypi() {
    python3 -m venv --clear .tools/examples && .tools/examples/bin/pip install --require-hashes -r examples/fastapi/requirements.txt &&
        cp examples/fastapi/requirements.txt .tools/examples/.installed
}

has_postgres() {
    command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

if is_for clients; then
    set_up_npm tests/clients
    if ! cmp -s tests/clients/requirements.txt .tools/clients/.installed; then
        has_venv || install_packages python "Python and its venv" 20 "$DEBIAN_PYTHON"
        step "Is PyPI reachable?" clients-pypi "the clients from PyPI" 30 install_client_pypi
    fi
    has_postgres || install_packages postgresql PostgreSQL 30 "$DEBIAN_POSTGRESQL"
fi

if is_for test; then
    command -v curl >/dev/null || install_packages curl curl 5 curl
    # The documented commands work in bash and in zsh.
    command -v zsh >/dev/null || install_packages zsh zsh 5 zsh
    if ! [ -f webdriver.json ] || ! [ -x "${CHROME:-}" ] || ! [ -v HEADLESS_SHELL ]; then set_up_chrome; fi
    has_pypi || set_up_pypi
    if ! cmp -s examples/fastapi/requirements.txt .tools/examples/.installed; then
        step "Is PyPI reachable?" examples-pypi "the Python packages of the examples" 20 install_example_pypi
    fi
    has_proxies || set_up_proxies
fi

if [ -n "$compiling" ]; then
    wait "$compiling" || fail_step wasm-tools "compiling ${missing[*]}" "Is crates.io reachable?"
    trap - EXIT
fi
