#!/usr/bin/env bash
# Fuzzes with libFuzzer: `fuzz.sh SECONDS [TARGET…]` runs each target, or those that are named, for so many seconds.
#
# | folder                | content                                                                 |
# |-----------------------|-------------------------------------------------------------------------|
# | fuzz/corpus           | the seeds, which `cargo test` also runs                                 |
# | fuzz/dictionaries     | strings that mutations insert                                           |
# | target/fuzz/corpus    | every input that reached new code; the next run begins with these too   |
# | target/fuzz/artifacts | the inputs that made a target fail                                      |
#
# The coverage counters are those of LLVM, which stable rustc enables by `-C` options.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

seconds=${1:?give the seconds for each target}
shift
mapfile -t all < <(ls fuzz/corpus)
targets=("$@")
[ $# != 0 ] || targets=("${all[@]}")
for target in "${targets[@]}"; do
    [ -d "fuzz/corpus/$target" ] || fail "there is no fuzz target $target. The targets are: ${all[*]}"
done

coverage=(
    -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares
)
host=$(rustc -vV | sed -n 's/^host: //p')
# With `--target`, build scripts and macros are built without the counters.
RUSTFLAGS="${coverage[*]} --cfg fuzzing" \
    cargo build --quiet --release --locked --manifest-path fuzz/Cargo.toml --target "$host" --target-dir target/fuzz

for target in "${targets[@]}"; do
    echo "fuzz: $target, $seconds s"
    found=target/fuzz/corpus/$target
    artifacts=target/fuzz/artifacts/$target
    log=target/fuzz/$target.log
    mkdir -p "$found" "$artifacts"
    options=(
        -max_total_time="$seconds"
        -max_len=4096
        # Long inputs from the beginning.
        -len_control=0
        # The longest time of one input, in seconds.
        -timeout=10
        -use_value_profile=1
        -dict="fuzz/dictionaries/$target"
        -artifact_prefix="$artifacts/"
    )
    FUZZ_TARGET=$target "target/fuzz/$host/release/entgate-fuzz" "${options[@]}" "$found" "fuzz/corpus/$target" >"$log" 2>&1 || {
        tail -n 50 "$log"
        fail "the target $target failed. Its input is in $artifacts. Move it to fuzz/corpus/$target, with a name that says what it is."
    }
    grep 'DONE' "$log"
done
