#!/usr/bin/env bash
# The recipe on a cluster of one machine, from its start to its end: 16 shards on two node daemons, one of which is killed
# and requeued, the merge that depends on them, and one sweep of the same seeds to hold it against. For root.
#
#     SQUALL=target/release/squall deploy/slurm/check.sh [DIR]
#
# SEEDS    how many seeds [20000]
# SUBJECT  what is swept [raft-rs+apply-retries, which fails in one run of some tens]
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=$(mkdir -p "${1-target/slurm}" && cd "${1-target/slurm}" && pwd)
SQUALL=$(realpath "${SQUALL-target/release/squall}")
SEEDS=${SEEDS-20000} SUBJECT=${SUBJECT-raft-rs+apply-retries}
rm -rf "${dir:?}"/*
sweep=(--subject "$SUBJECT" --profile smoke --seeds "0..$SEEDS" --no-page)

deploy/slurm/cluster.sh start "$dir/cluster"
trap 'deploy/slurm/cluster.sh stop "$dir/cluster"' EXIT
export SLURM_CONF=$dir/cluster/slurm.conf
sinfo --Node --long

began=$(date +%s.%N)
jobs=$(SQUALL=$SQUALL SQUALL_OUT=$dir/out SHARDS=16 deploy/slurm/submit.sh "${sweep[@]}")
read -r array merge <<< "$jobs"
echo "job array $array, merge $merge"

# The process of a task that has noted how far it is gets SIGKILL, as if its node were gone.
killed=
for ((i = 0; i < 600 && ${#killed} == 0; i++)); do
    for log in "$dir"/out/logs/shard-*.log; do
        task=${log##*-} task=${task%.log}
        file=$(compgen -G "$dir/out/shards/shard-$task-of-16/*.unfinished.json") || continue
        grep -q '"runs":0,' "$file" 2> /dev/null && continue
        for pid in $(pgrep -f "^$SQUALL sweep --shard --out $dir/out/shards "); do
            # Its own environment says which task it is.
            grep -qzx "SLURM_ARRAY_TASK_ID=$task" "/proc/$pid/environ" 2> /dev/null || continue
            kill -KILL "$pid" 2> /dev/null && killed=$task && break 2
        done
    done
    sleep 0.1
done
[ -n "$killed" ] || { echo "no task could be killed: more SEEDS are needed"; exit 1; }
echo "task $killed is killed"
# It has failed, and is queued again.
for ((i = 0; i < 100; i++)); do
    scontrol show job "${array}_$killed" | grep -q "JobState=FAILED" && break
    sleep 0.2
done
scontrol requeue "${array}_$killed"

for ((i = 0; i < 3000; i++)); do
    state=$(scontrol show job "$merge" | sed -n 's/^ *JobState=\([A-Z]*\).*/\1/p')
    case "$state" in COMPLETED | FAILED | CANCELLED | TIMEOUT) break ;; esac
    sleep 0.2
done
ended=$(date +%s.%N)
echo "merge: $state"

echo; echo "== what Slurm has accounted"
sacct --completion --file="$dir/cluster/jobs.txt" --format=JobID,JobName%14,NodeList,State,Start,End 2> "$dir/sacct" || cat "$dir/sacct"
scontrol show job "${array}_$killed" | grep -E "JobState|Restarts|RunTime"

echo; echo "== the log of task $killed"
grep "^squall " "$dir/out/logs/shard-$killed.log"
grep -q "going on at seed" "$dir/out/logs/shard-$killed.log"

echo; echo "== the merge"
tail -n 16 "$dir/out/logs/merge.log"

"$SQUALL" sweep "${sweep[@]}" --keep-going --no-shrink --jobs 2 --out "$dir/whole" --json "$dir/whole.json" > "$dir/whole.txt" || [ $? = 1 ]
python3 - "$dir" "$began" "$ended" <<'PYTHON'
import json, sys
folder, began, ended = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
merged, whole = (json.load(open(f"{folder}/{name}")) for name in ("out/summary.json", "whole.json"))
print("\n== 16 shards and one sweep")
for name in ("digest", "runs", "steps", "sometimes", "variants", "double_runs", "missing"):
    assert merged[name] == whole[name], name
found = [[(one["seed"], one["property"], one["message"]) for one in it["violations"]] for it in (merged, whole)]
assert found[0] == found[1]
assert merged["shards"]["merged"] == 16, merged["shards"]
print(f"digest {merged['digest']}, {merged['runs']} runs, {merged['steps']} steps, {len(found[0])} violations: equal")
print(f"processor time: shards {merged['cpu_seconds']:.1f} s, one sweep {whole['cpu_seconds']:.1f} s")
print(f"wall time: from submission to the end of the merge {ended - began:.1f} s, one sweep on 2 threads {whole['wall_seconds']:.1f} s")
PYTHON
diff -r -x merge.json "$dir/whole" "$dir/out/merged"
