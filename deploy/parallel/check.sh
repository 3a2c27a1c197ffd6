#!/usr/bin/env bash
# The recipe, over ssh to this machine: an ssh daemon of its own on a port of the loopback address, with keys made for it.
# Needs Debian's parallel, openssh-server, openssh-client and rsync, which are installed where they are missing.
#
#     SQUALL=target/release/squall deploy/parallel/check.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
SQUALL=$(realpath "${SQUALL-target/release/squall}")
for program in parallel ssh rsync /usr/sbin/sshd; do
    command -v "$program" > /dev/null && continue
    sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" apt-get install -y -qq --no-install-recommends parallel openssh-client openssh-server rsync
    break
done
dir=$(mktemp -d)
daemon=
trap '[ -z "$daemon" ] || kill "$daemon"; rm -rf "$dir"' EXIT

ssh-keygen -q -t ed25519 -N '' -f "$dir/host"
ssh-keygen -q -t ed25519 -N '' -f "$dir/key"
cp "$dir/key.pub" "$dir/authorized"
port=$((20000 + RANDOM % 20000))
# Where root runs it, it wants that folder.
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
/usr/sbin/sshd -D -f /dev/null -h "$dir/host" -E "$dir/sshd.log" -o "Port=$port" -o ListenAddress=127.0.0.1 -o StrictModes=no \
    -o "AuthorizedKeysFile=$dir/authorized" -o "PidFile=none" -o MaxStartups=100 &
daemon=$!
# Two machines, as far as parallel can tell, with a job at a time each.
cat > "$dir/hosts" <<HOSTS
1/$dir/ssh one
1/$dir/ssh two
HOSTS
cat > "$dir/ssh" <<SSH
#!/bin/sh
exec ssh -F $dir/config "\$@"
SSH
cat > "$dir/config" <<CONFIG
Host one two
    HostName 127.0.0.1
    Port $port
    User $(id -un)
    IdentityFile $dir/key
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile $dir/known
    LogLevel ERROR
CONFIG
chmod +x "$dir/ssh"
for ((i = 0; i < 50; i++)); do
    "$dir/ssh" one true 2> /dev/null && break
    sleep 0.1
done

sweep=(--subject raft-rs+apply-retries --profile smoke --seeds 0..1000 --no-page)
digest() { sed -n 's/^ *"digest": "\(.*\)",$/\1/p' "$1"; }
"$SQUALL" sweep "${sweep[@]}" --keep-going --no-shrink --out "$dir/whole" --json "$dir/whole.json" > /dev/null || [ $? = 1 ]

# Once with a folder that the machines share, and once with one that each has for itself.
for remote in "" "$dir/remote"; do
    out=$dir/shared status=0
    [ -z "$remote" ] || out=$dir/fetched
    SQUALL=$SQUALL SQUALL_OUT=$out SHARDS=8 HOSTS=$dir/hosts REMOTE=$remote deploy/parallel/sweep.sh "${sweep[@]}" > "$dir/merge.txt" || status=$?
    [ "$status" = 1 ] || { cat "$dir/merge.txt" "$dir/sshd.log"; exit 1; }
    cat "$dir/merge.txt"
    cut -f 1,2,4,7 "$out/jobs.log"
    [ "$(cut -f 2 "$out/jobs.log" | grep -c "ssh")" = 8 ]
    echo "digest of 8 shards $(digest "$out/summary.json"), of one sweep $(digest "$dir/whole.json")"
    [ "$(digest "$out/summary.json")" = "$(digest "$dir/whole.json")" ]
    diff -r -x merge.json "$dir/whole" "$out/merged"
done
