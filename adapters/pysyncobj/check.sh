#!/bin/sh
# Checks the adapter with Squall: the default profile holds, each planted bug is found, and the plans
# of FINDINGS.md still show what they are kept for.
#
#     SQUALL=../../target/release/squall ./check.sh
#
# SEEDS is how many seeds the sweep runs (900).
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

# What it has to break: a node that fails otherwise, as by an exception of the adapter's, is no find.
for case in vote-not-recorded=ack-before-durable term-not-restored=monotonic \
    any-term-counts=leader-completeness previous-term-not-compared=log-matching \
    votes-for-older-logs=leader-completeness conflicts-kept=ack-before-durable \
    half-is-a-majority=durable-commit sends-before-sync=ack-before-durable; do
    bug=${case%=*} property=${case#*=}
    "$squall" sweep --command "$node --broken $bug" --seeds 100 --out "$out" --no-page --no-shrink \
        > "build/$bug.log" 2>&1 || true
    grep "^VIOLATION $property" "build/$bug.log" || { echo "$bug is not found"; exit 1; }
done

for case in commit-before-dump=state-machine-safety cut-what-matches=ack-before-durable \
    dump-over-newer-log=monotonic finish-early='no-panic.*EOFError' in-memory=monotonic \
    journal-cleared-at-start=monotonic optimistic-from-the-start=liveness \
    late-answers=durable-commit unsynced=ack-before-durable; do
    plan=findings/${case%=*}.json property=${case#*=}
    "$squall" replay "$plan" --command "$node" --no-page > build/replay.log 2>&1 || true
    grep "^VIOLATION $property" build/replay.log || { echo "$plan shows it no more"; exit 1; }
done

for bug in changes-overlap changes-when-applied; do
    plan=findings/$bug.json
    "$squall" replay "$plan" --command "$node --members" --no-page > build/replay.log 2>&1 || true
    grep "^VIOLATION configuration" build/replay.log || { echo "$plan shows it no more"; exit 1; }
done
