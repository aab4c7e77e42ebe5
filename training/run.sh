#!/usr/bin/env bash
# The whole way from nothing to a measured policy package: collect, train, export, evaluate.
#   PYTHON=path/to/venv/bin/python training/run.sh [PACKAGE]
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
package=${1:-training/out/pick_cube}
data=training/data/demos
out=training/out
collect=target/release/surehand-collect
faster=()
grep -q avx512_bf16 /proc/cpuinfo && faster=(--bf16)

mkdir -p "$out"
cargo build --release -p surehand-collect
"$collect" expert --episodes 100 --seed 1
"$collect" collect --episodes 600 --seed 1000 --out "$data"
"$python" training/train.py --data "$data" --out "$out/policy.pt" "${faster[@]}"
"$python" training/export.py --checkpoint "$out/policy.pt" --package "$package"
"$collect" evaluate --package "$package" --episodes 100 --seed 7 --report "$out/evaluation.json"
# A covered camera must not place cubes: otherwise the policy would not be looking.
"$collect" evaluate --package "$package" --episodes 10 --seed 7 --cover overhead \
    --report "$out/covered.json"
"$python" training/export.py --checkpoint "$out/policy.pt" --package "$package" \
    --measured "$out/evaluation.json" "$out/covered.json"
