#!/usr/bin/env bash
# Merges the shards that the jobs of the matrix have left in the folder shards. Exit status: that of `squall merge`.
set -euo pipefail
chmod +x "$SQUALL"
status=0
"$SQUALL" merge shards --out findings --json summary.json --summary-md summary.md --html page --shrink || status=$?
[ ! -f summary.md ] || [ -z "${GITHUB_STEP_SUMMARY-}" ] || cat summary.md >> "$GITHUB_STEP_SUMMARY"
exit "$status"
