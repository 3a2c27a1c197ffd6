#!/usr/bin/env bash
# Measures what the guide says of shards (docs/guide/more-machines.md), on this machine.
#
#     SQUALL=target/release/squall deploy/measure.sh [DIR]
set -euo pipefail
cd "$(dirname "$0")/.."
SQUALL=$(realpath "${SQUALL-target/release/squall}")
dir=$(mkdir -p "${1-target/shards-measured}" && cd "${1-target/shards-measured}" && pwd)
rm -rf "${dir:?}"/*
cd "$dir"
now() { date +%s.%N; }
field() { sed -n "s/^ *\"$2\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" "$1" | head -n 1; }
since() { awk -v a="$1" -v b="$(now)" "BEGIN { printf \"%.${2-1}f\", b - a }"; }
found() { "$@" || [ $? = 1 ]; }

echo "== 16 shards, two at a time with one thread each, against one sweep with two threads: storm, 20,000 seeds"
sweep=(--subject raft-rs --profile storm --seeds 0..20000 --no-page)
began=$(now)
"$SQUALL" sweep "${sweep[@]}" --keep-going --no-shrink --jobs 2 --out whole --json whole.json > whole.txt
echo "one sweep: $(since "$began") s, $(field whole.json cpu_seconds) s of processor time, digest $(field whole.json digest)"
began=$(now)
seq 16 | xargs -P 2 -I{} "$SQUALL" sweep "${sweep[@]}" --shard {}/16 --jobs 1 --out shards > /dev/null
shards=$(since "$began")
began=$(now)
"$SQUALL" merge shards --out merged --json merged.json > merged.txt
echo "16 shards: $shards s and a merge of $(since "$began" 3) s, $(field merged.json cpu_seconds) s of processor time, digest $(field merged.json digest)"
echo "steps $(field merged.json steps), runs $(field merged.json runs)"
[ "$(field merged.json digest)" = "$(field whole.json digest)" ]

echo "== what a shard takes besides its runs: 50 shards without seeds"
began=$(now)
for ((i = 2; i <= 51; i++)); do
    "$SQUALL" sweep --subject raft-rs --seeds 0..64 --shard "$i/51" --jobs 1 --out empty > /dev/null
done
awk -v s="$(since "$began" 3)" 'BEGIN { printf "%.1f ms each\n", s / 50 * 1000 }'
began=$(now)
for ((i = 0; i < 50; i++)); do "$SQUALL" list profiles > /dev/null; done
awk -v s="$(since "$began" 3)" 'BEGIN { printf "of which %.1f ms are the start of the program\n", s / 50 * 1000 }'

echo "== 1,000 shards, about 10,000 findings"
sweep=(--subject raft-rs+apply-retries --profile smoke --seeds 0..181000 --no-page)
began=$(now)
# shellcheck disable=SC2016 # The inner shell's.
seq 1000 | xargs -P 2 -I{} bash -c '"$0" sweep "${@:2}" --shard "$1/1000" --jobs 1 --out many > /dev/null || [ $? = 1 ]' "$SQUALL" {} "${sweep[@]}"
echo "the shards: $(since "$began") s, $(find many -type f | wc -l) files, $(du -sh many | cut -f 1)"
for time in first second; do
    began=$(now)
    found "$SQUALL" merge many --out many-merged --json many.json > many.txt
    echo "the $time merge: $(since "$began") s; $(tail -n 1 many.txt)"
done
began=$(now)
found "$SQUALL" sweep "${sweep[@]}" --keep-going --no-shrink --jobs 2 --out many-whole --json many-whole.json > /dev/null
echo "one sweep: $(since "$began") s"
[ "$(field many.json digest)" = "$(field many-whole.json digest)" ]

echo "== what a shard keeps on the disk: 8 bytes a run, and so much more"
du -bsh shards/shard-1-of-16 | cut -f 1

echo "== how fast digests are chained: 2 shards of 32,768,000 runs each, whose digests are made up"
for i in 1 2; do "$SQUALL" sweep --subject raft-rs --profile smoke --seeds 0..128 --shard "$i/2" --jobs 1 --out long > /dev/null; done
python3 - <<'PYTHON'
import glob, json, os, struct

MASK = 2**64 - 1
def mix(digest, word):
    turn = lambda word, by: (word << by | word >> 64 - by) & MASK
    return (turn((turn(digest, 23) ^ word) * 0x9E3779B97F4A7C15 & MASK, 29) + 0xD1B54A32D192ED03) & MASK

words, total = list(range(1, 32769)), 0
for word in words:
    total = mix(total, word)
segment = struct.pack("<32769Q", *words, total)
for path in glob.glob("long/*/*.shard.json"):
    shard = json.load(open(path))
    stem = path.removesuffix("128.shard.json") + "65536000"
    os.remove(path)
    shard["asked"]["seeds"]["end"] = shard["next"] = 65536000
    shard["runs"] = 32768000
    shard["shard"] |= {"segments": 1000, "digests": ""}
    json.dump(shard, open(stem + ".shard.json", "w"))
    for number in range(1000):
        open(f"{stem}.digests-{number:05}", "wb").write(segment)
PYTHON
began=$(now)
"$SQUALL" merge long --out long-merged > long.txt
echo "65,536,000 digests: $(since "$began" 2) s; $(grep digest long.txt)"
rm -r long
