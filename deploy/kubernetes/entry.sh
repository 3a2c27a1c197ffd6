#!/bin/sh
# What the containers of the Jobs run.
#
#     entry.sh sweep OPTIONS...     one shard: Kubernetes says which in JOB_COMPLETION_INDEX, and the manifest of how many in SHARDS
#     entry.sh merge                merges them
#
# SQUALL_OUT is the folder of the volume that all pods share.
set -u
what=$1
shift
status=0
case "$what" in
    sweep)
        # A pod that takes another's place goes on with its shard: the command is the same.
        squall sweep --shard --shards "$SHARDS" --out "$SQUALL_OUT/shards" "$@" || status=$?
        ;;
    merge)
        squall merge "$SQUALL_OUT/shards" --out "$SQUALL_OUT/merged" --json "$SQUALL_OUT/summary.json" \
            --summary-md "$SQUALL_OUT/summary.md" --html "$SQUALL_OUT/page" "$@" || status=$?
        ;;
    *)
        echo "entry.sh: $what; legal: sweep, merge" >&2
        exit 2
        ;;
esac
# 1 says that something was found, which is no failure of the pod.
[ "$status" -le 1 ]
