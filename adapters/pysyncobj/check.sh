#!/bin/sh
# Checks the adapter with Squall: the default profile holds, each planted bug is found, and the plans
# of FINDINGS.md still show what they are kept for.
#
#     SQUALL=../../target/release/squall ./check.sh
#
# SEEDS is how many seeds the sweep runs (900). From 1,000 on Squall demands events that connections
# keep from happening: see README.md.
set -eu

cd "$(dirname "$0")"
squall=${SQUALL:?the squall to check with, as in ../../target/release/squall}
out=build/out
rm -rf "$out"

python=$(./install.py)
# As the plans of FINDINGS.md have it.
node="build/venv/bin/python pysyncobj_node.py"
"$python" --version
"$squall" sweep --command "$node" --seeds "${SEEDS:-900}" --out "$out" --no-page

for bug in vote-not-recorded term-not-restored any-term-counts previous-term-not-compared \
    votes-for-older-logs conflicts-kept half-is-a-majority sends-before-sync; do
    "$squall" sweep --command "$node --broken $bug" --seeds 100 --out "$out" --no-page --no-shrink \
        > "build/$bug.log" 2>&1 || true
    grep '^violation' "build/$bug.log" || { echo "$bug is not found"; exit 1; }
done

for plan in findings/*.json; do
    "$squall" replay "$plan" --command "$node" --no-page > build/replay.log 2>&1 || true
    grep '^VIOLATION' build/replay.log || { echo "$plan shows nothing any more"; exit 1; }
done
