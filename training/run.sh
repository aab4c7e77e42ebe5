#!/usr/bin/env bash
# The whole way from nothing to a measured policy package.
#   PYTHON=path/to/venv/bin/python training/run.sh [PACKAGE]
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
package=${1:-training/out/pick_cube}
data=training/data
out=training/out
collect=target/release/surehand-collect
# One thread learns as fast as two on a busy machine; bfloat16 where the CPU has it.
learn=("$python" training/train.py --batch 64 --threads 1)
grep -q avx512_bf16 /proc/cpuinfo && learn+=(--bf16)

mkdir -p "$out"
cargo build --release -p surehand-collect
"$collect" expert --episodes 100 --seed 1

"$collect" collect --episodes 700 --seed 1000 --out "$data/demos"
# First to do the task, then also to stand still when a camera is covered.
"${learn[@]}" --data "$data/demos" --out "$out/first.pt" --steps 3500 --covered 0
"${learn[@]}" --data "$data/demos" --start "$out/first.pt" --out "$out/policy.pt" \
    --steps 2000 --rate 5e-4 --covered 0.15
"$python" training/export.py --checkpoint "$out/policy.pt" --package "$package"

# What counts: success in closed loop, and none with a camera covered.
"$collect" evaluate --package "$package" --episodes 100 --seed 7 --report "$out/measured.json"
for camera in overhead wrist; do
    "$collect" evaluate --package "$package" --episodes 20 --seed 7 --cover "$camera" \
        --report "$out/covered_$camera.json"
done
"$python" training/export.py --checkpoint "$out/policy.pt" --package "$package" \
    --measured "$out"/measured.json "$out"/covered_*.json
