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

# First from the expert's own demonstrations.
"$collect" collect --episodes 700 --seed 1000 --out "$data/demos"
"${learn[@]}" --data "$data/demos" --out "$out/first.pt" --steps 3500
"$python" training/export.py --checkpoint "$out/first.pt" --package "$out/first"

# Then from what the expert would do where that policy leads.
"$collect" collect --episodes 300 --seed 20000 --corrected "$out/first" --out "$data/corrected"
"${learn[@]}" --data "$data/demos" "$data/corrected" --start "$out/first.pt" \
    --out "$out/policy.pt" --steps 3000 --rate 7e-4
"$python" training/export.py --checkpoint "$out/policy.pt" --package "$package"

# What counts: success in closed loop, and none with a camera covered.
"$collect" evaluate --package "$package" --episodes 200 --seed 7 --report "$out/measured.json"
for camera in overhead wrist; do
    "$collect" evaluate --package "$package" --episodes 20 --seed 7 --cover "$camera" \
        --report "$out/covered_$camera.json"
done
"$python" training/export.py --checkpoint "$out/policy.pt" --package "$package" \
    --measured "$out"/measured.json "$out"/covered_*.json
