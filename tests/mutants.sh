#!/usr/bin/env bash
# Mutation testing of src/stats: which faults, put into the judge one at a time, would no test notice?
#
# The room uses `std` only, so it is tested as a small crate of its own: a minute to build instead of ten. Left out are
# the simulated releases (src/stats/trials): they measure the judge, nothing decides by them.
#
#   cargo install cargo-mutants --version 27.1.0 --locked
#   tests/mutants.sh [options of cargo mutants]
#   tests/mutants.sh --shard 3/12 --sharding round-robin --timeout 20    # one in twelve, evenly over the room
#   tests/mutants.sh --file src/stats/history.rs                         # one file
#
# All of it takes hours. A mutant that makes a loop endless ends by the timeout; it counts as caught.
# The list of what is missed ends in target/mutants/mutants.out/missed.txt. docs/judge.md names those that are left.
set -euo pipefail
cd "$(dirname "$0")/.."

room=target/mutants/crate
rm -rf "$room"
mkdir -p "$room/src" "$room/tests/it" "$room/tests/data"
cp -r src/stats src/stats.rs "$room/src/"
cp -r tests/it/stats tests/it/stats.rs "$room/tests/it/"
cp tests/data/golden.json "$room/tests/data/"
cp rust-toolchain.toml "$room/" 2>/dev/null || true

cat > "$room/src/lib.rs" <<'RUST'
//! The judge alone.
pub mod stats;
RUST
cat > "$room/tests/it/main.rs" <<'RUST'
//! Its tests.
mod stats;
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
[workspace]
TOML
cp Cargo.lock "$room/"

exec cargo mutants --dir "$room" --output target/mutants --exclude 'src/stats/trials/**' --exclude src/stats/trials.rs "$@"
