#!/bin/sh
# Checks the adapter with Squall: the default profile holds, each planted bug is found, and the plans
# of FINDINGS.md still show what they are kept for.
#
#     SQUALL=../../target/release/squall ./check.sh
#
# SEEDS is how many seeds the sweep runs (900). From 1,000 on Squall demands that a leader has committed
# what its own disk had not, which libraft never does: see README.md.
set -eu

cd "$(dirname "$0")"
squall=${SQUALL:?the squall to check with, as in ../../target/release/squall}
out=build/out
rm -rf "$out"

./install.sh
"$squall" sweep --command build/c-raft --seeds "${SEEDS:-900}" --out "$out" --no-page

for bug in SEND_BEFORE_SYNC VOTE_NOT_WRITTEN KEEP_CONFLICTS ACK_BEFORE_SYNC; do
    OUT="build/$bug" ./install.sh "-D$bug"
    "$squall" sweep --command "build/$bug" --seeds 500 --out "$out" --no-page --no-shrink \
        > "build/$bug.log" 2>&1 || true
    grep '^violation' "build/$bug.log" || { echo "$bug is not found"; exit 1; }
done

for plan in findings/*.json; do
    "$squall" replay "$plan" --command build/c-raft --no-page > build/replay.log 2>&1 || true
    grep '^VIOLATION' build/replay.log || { echo "$plan shows nothing any more"; exit 1; }
done
