#!/usr/bin/env bash
# Mutation testing of src/stats: which faults, put into the judge one at a time, would no test notice?
#
# The room uses `std` only, so it is tested as a small crate of its own, with its tests inside: one thing to compile, two to
# four seconds a mutant. Left out are src/trials (the simulated releases and the rules of the peers) and the random numbers:
# they measure the judge, nothing decides by them.
# Tests that take longest run on those mutants only which all others have missed.
#
#   cargo install cargo-mutants --version 27.1.0 --locked
#   tests/mutants.sh [options of cargo mutants]
#   tests/mutants.sh --shard 3/12 --sharding round-robin    # one in twelve, evenly over the room
#   tests/mutants.sh --file src/stats/history.rs            # one file
#
# All of it takes two hours or three. A mutant that makes a loop endless ends by the timeout; it counts as caught.
# What is missed in the end is printed last. docs/judge-figures.md lists those that are left.
set -euo pipefail
cd "$(dirname "$0")/.."

room=target/mutants/crate
rm -rf "$room"
mkdir -p "$room/src/it" "$room/src/data"
cp -r src/stats src/stats.rs src/trials src/trials.rs "$room/src/"
cp -r tests/it/stats tests/it/stats.rs "$room/src/it/"
cp tests/data/golden.json "$room/src/data/"
cp rust-toolchain.toml Cargo.lock "$room/"

cat > "$room/src/lib.rs" <<'RUST'
//! The judge alone.
extern crate self as serin;
pub mod stats;
pub mod trials;
#[cfg(test)]
mod it {
    mod stats;
}
RUST
version() { grep -E "^$1 = " Cargo.toml | sed -E 's/[^=]*=//; s/ #.*//'; }
cat > "$room/Cargo.toml" <<TOML
[package]
name = "serin"
version = "0.0.0"
edition = "2024"
[dev-dependencies]
proptest = $(version proptest)
serde_json = $(version serde_json)
[profile.test]
opt-level = 1
debug = false
[lib]
doctest = false
[workspace]
TOML

# Those of more than 0.3 s.
slow=(
    what_does_not_leak_is_not_held
    one_burst_as_long_as_known_changes_no_verdict
    equal_arms_are_practically_never_failed
    an_unacceptable_candidate_is_rarely_passed_however
    failures_that_count_late_keep_the_bound
    a_cache_that_fills_for_minutes_may_hold
    a_tolerable_candidate_is_rarely_failed_however
    a_leak_of_hours_holds_and_one_of_minutes_fails
    a_candidate_on_the_widest_margin_is_promoted
)
skipped=()
for test in "${slow[@]}"; do skipped+=(--skip "$test"); done

# A failure that is kept would fail every mutant after it, and all of them would seem caught.
export PROPTEST_DISABLE_FAILURE_PERSISTENCE=1

mutants() {
    cargo mutants --dir "$room" --exclude 'src/trials/**' --exclude src/trials.rs \
        --exclude src/stats/random.rs --exclude 'src/it/**' \
        --timeout 60 --build-timeout 300 "$@" || [ $? -le 3 ] # 2 and 3: some are missed, some timed out
}
mutants --output target/mutants "$@" -- --lib -- "${skipped[@]}"

missed=target/mutants/mutants.out/missed.txt
[ -s "$missed" ] || exit 0
echo "$(wc -l < "$missed") are missed by the quick tests: all tests for them"
again=()
while read -r line; do again+=(--re "^$(sed -E 's/[][(){}.*+?^$|\\]/\\&/g' <<< "$line")\$"); done < "$missed"
mutants --output target/mutants/again "${again[@]}" -- --lib
cat target/mutants/again/mutants.out/missed.txt
