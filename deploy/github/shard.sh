#!/usr/bin/env bash
# One shard of a sweep, in a job of GitHub's matrix. The options are those of `squall sweep`.
#
# SHARD, SHARDS   which job of how many this is
# SQUALL          the program, which is the same file in all jobs
set -euo pipefail
chmod +x "$SQUALL"
status=0
"$SQUALL" sweep --shard "$SHARD/$SHARDS" --out shards "$@" || status=$?
# 1 says that something was found: what comes of it is the merge's to say.
[ "$status" -le 1 ]
