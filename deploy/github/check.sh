#!/usr/bin/env bash
# Runs the steps of sweep.yml that are scripts, as they are, for every job of its matrix, with the variables that GitHub
# sets. Only the seeds are fewer. What an artifact carries from job to job lies in a folder.
#
#     SQUALL=target/release/squall deploy/github/check.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
SQUALL=$(realpath "${SQUALL-target/release/squall}")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/work"
ln -s "$PWD/deploy" "$dir/work/deploy"
cp "$SQUALL" "$dir/work/squall"
workflow=$PWD/deploy/github/sweep.yml
scripts() { sed -n "/^  $1:/,/^  [a-z]*:\$/s/^ *- run: \(deploy.*\)/\1/p" "$workflow"; }
shards=$(sed -n 's/^ *shard: \[\(.*\)\]$/\1/p' "$workflow" | tr -d ' ' | tr ',' '\n')
count=$(wc -l <<< "$shards")

cd "$dir/work"
export SQUALL=./squall GITHUB_STEP_SUMMARY=$dir/page.md
fewer() { sed 's/10000000/1000/g; s/--subject raft-rs/--subject raft-rs+apply-retries --profile smoke/'; }
for shard in $shards; do
    SHARD=$shard SHARDS=$count GITHUB_RUN_NUMBER=3 bash -e -c "$(scripts shards | fewer)" > "$dir/shard-$shard.log"
    head -n 1 "$dir/shard-$shard.log"
done
status=0
bash -e -c "$(scripts merge)" || status=$?
[ "$status" = 1 ]
grep -q "^### squall: " "$GITHUB_STEP_SUMMARY"
./squall sweep --subject raft-rs+apply-retries --profile smoke --seeds 3000..+1000 --no-page --keep-going --no-shrink \
    --out whole --json whole.json > /dev/null || [ $? = 1 ]
digest() { sed -n 's/^ *"digest": "\(.*\)",$/\1/p' "$1"; }
echo "digest of $count shards $(digest summary.json), of one sweep $(digest whole.json)"
[ "$(digest summary.json)" = "$(digest whole.json)" ]
