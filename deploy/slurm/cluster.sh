#!/usr/bin/env bash
# A Slurm cluster on this machine alone, to try the recipe with: a controller and NODES node daemons, of Debian's
# slurm-wlm and munge, which are installed where they are missing. For root.
#
#     deploy/slurm/cluster.sh start DIR     starts it; `export SLURM_CONF=DIR/slurm.conf` is all that commands need
#     deploy/slurm/cluster.sh stop DIR      stops it
#
# Nodes have CPUS processors each, whatever the machine has. Nothing outside of DIR is changed.
set -euo pipefail
NODES=${NODES-2} CPUS=${CPUS-1} PORT=${PORT-16817}

install() {
    local missing=() name
    for name in slurmctld slurmd munged; do
        command -v "$name" > /dev/null || missing+=("$name")
    done
    [ ${#missing[@]} = 0 ] && return
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends slurm-wlm munge
}

start() {
    local dir=$1 host node
    host=$(hostname -s)
    mkdir -p "$dir/state" "$dir/munge"
    chmod 700 "$dir/munge"
    [ -f "$dir/munge/key" ] || (umask 077 && head -c 1024 /dev/urandom > "$dir/munge/key")
    cat > "$dir/slurm.conf" <<CONF
ClusterName=squall
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$PORT
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket,cred_expire=10
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmctldPidFile=$dir/slurmctld.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdPidFile=$dir/slurmd.%n.pid
SlurmdLogFile=$dir/slurmd.%n.log
SlurmdSpoolDir=$dir/spool.%n
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
SchedulerParameters=sched_interval=2
KillWait=5
MinJobAge=86400
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobCompType=jobcomp/filetxt
JobCompLoc=$dir/jobs.txt
MpiDefault=none
CONF
    for ((node = 1; node <= NODES; node++)); do
        echo "NodeName=node$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$((PORT + node)) CPUs=$CPUS State=UNKNOWN"
    done >> "$dir/slurm.conf"
    echo "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP" >> "$dir/slurm.conf"

    export SLURM_CONF=$dir/slurm.conf
    munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/munge/pid" \
        --log-file="$dir/munge/log" --seed-file="$dir/munge/seed" 2> "$dir/munge/warnings"
    slurmctld -f "$SLURM_CONF"
    for ((node = 1; node <= NODES; node++)); do
        mkdir -p "$dir/spool.node$node"
        slurmd -f "$SLURM_CONF" -N "node$node"
    done
    for ((i = 0; i < 60; i++)); do
        [ "$(sinfo --noheader --states=idle --format=%D 2> /dev/null | tr -d ' \n')" = "$NODES" ] && return
        sleep 0.5
    done
    echo "the nodes do not come up; see the logs in $dir" >&2
    tail -n 5 "$dir"/*.log >&2
    return 1
}

stop() {
    local dir=$1 file pid i
    for file in "$dir"/slurmd.*.pid "$dir/slurmctld.pid" "$dir/munge/pid"; do
        [ -f "$file" ] || continue
        pid=$(cat "$file")
        kill "$pid" 2> /dev/null || continue
        for ((i = 0; i < 50; i++)); do
            kill -0 "$pid" 2> /dev/null || break
            sleep 0.2
        done
    done
}

case "${1-} ${2-}" in
    "start "?*) install; start "$(mkdir -p "$2" && cd "$2" && pwd)" ;;
    "stop "?*) stop "$(cd "$2" && pwd)" ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
