#!/usr/bin/env bash
# Submits a sweep in shards to Slurm: a job array of SHARDS tasks, and a job that merges them.
#
#     SQUALL_OUT=/shared/night-1 SHARDS=16 deploy/slurm/submit.sh --subject raft-rs --seeds 0..4000
#
# SQUALL_OUT   a folder that all nodes see
# SHARDS       how many tasks
# SQUALL       the program, where all nodes see it [squall on the path]
# SBATCH       further options of sbatch for the tasks, e.g. "--time=8:00:00 --partition=long"
#
# The arguments are those of `squall sweep`. Prints the numbers of the two jobs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${SQUALL_OUT:?say in SQUALL_OUT where the shards go}" "${SHARDS:?say in SHARDS how many there are}"
SQUALL=$(command -v "${SQUALL-squall}") || { echo "there is no program ${SQUALL-squall}" >&2; exit 2; }
mkdir -p "$SQUALL_OUT/logs"
SQUALL_OUT=$(cd "$SQUALL_OUT" && pwd)
export SQUALL SQUALL_OUT

# shellcheck disable=SC2086 # Several options.
array=$(sbatch --parsable --array="1-$SHARDS" --output="$SQUALL_OUT/logs/shard-%a.log" ${SBATCH-} "$here/sweep.sbatch" "$@")
merge=$(sbatch --parsable --dependency="afterany:$array" --output="$SQUALL_OUT/logs/merge.log" "$here/merge.sbatch")
echo "$array $merge"
