#!/usr/bin/env bash
# A sweep in shards on machines that ssh reaches, by GNU parallel: as many at a time as the machines have processors.
#
#     SQUALL_OUT=/shared/night-1 SHARDS=64 HOSTS=hosts.txt deploy/parallel/sweep.sh --subject raft-rs --seeds 0..100000
#
# SQUALL_OUT   a folder that all machines share, by the same path
# REMOTE       where they share none: a folder on each machine; a shard is fetched from there (rsync) when it has ended
# SHARDS       how many shards; some times as many as there are processors
# HOSTS        a file as parallel's --sshloginfile takes it: a machine a line, with JOBS/ before it
# SQUALL       the program, at the same path everywhere [squall]
#
# Run it again to go on: shards that have ended, and whose files are here, are not run again. Others go on where they were, or, where the
# machines share no folder and parallel gives a shard to another one than before, begin anew. A shard that fails is tried again, three
# times in all, on another machine where there is one. Whatever failed, what there is is merged.
set -euo pipefail
: "${SQUALL_OUT:?say in SQUALL_OUT where the shards go}" "${SHARDS:?say in SHARDS how many there are}" "${HOSTS:?say in HOSTS which machines}"
SQUALL=${SQUALL-squall}
mkdir -p "$SQUALL_OUT/shards"
SQUALL_OUT=$(cd "$SQUALL_OUT" && pwd)
HOSTS=$(realpath "$HOSTS")
cd "$SQUALL_OUT"
transfer=()
[ -z "${REMOTE-}" ] || transfer=(--return "shards/shard-{}-of-$SHARDS")

# 1 says that something was found, which is no failure of the shard.
printf -v words ' %q' "$@"
printf -v program '%q' "$SQUALL"
# Files of another sweep must not pass for those of this one.
if [ -f arguments ] && [ "$(cat arguments)" != "$SHARDS$words" ]; then
    echo "$SQUALL_OUT is of another sweep, of these shards and arguments: $(cat arguments); name another folder" >&2
    exit 2
fi
echo "$SHARDS$words" > arguments
for ((shard = 1; shard <= SHARDS; shard++)); do
    compgen -G "shards/shard-$shard-of-$SHARDS/*.shard.json" > /dev/null || echo "$shard"
done > to-do
failed=0
parallel --no-run-if-empty --sshloginfile "$HOSTS" --workdir "${REMOTE:-$SQUALL_OUT}" --retries 3 --joblog "$SQUALL_OUT/jobs.log" \
    "${transfer[@]}" \
    "$program sweep --shard {}/$SHARDS --out shards --jobs 1$words > shard-{}.log 2>&1; [ \$? -le 1 ]" < to-do || failed=$?
[ "$failed" = 0 ] || echo "parallel ended with status $failed: see jobs.log, and the logs of the shards" >&2

"$SQUALL" merge shards --out merged --json summary.json --summary-md summary.md --html page
