#!/bin/bash
# Installs SLURM from Debian's packages and starts it on this machine alone, for `make test-slurm`.
#
#   tests/slurm/start_slurm.sh FOLDER     state, logs and slurm.conf go into FOLDER; nothing under /etc is changed
#
# Needs root and apt. Prints the path of slurm.conf, for SLURM_CONF. stop_slurm.sh FOLDER ends what this started.
set -euo pipefail

fail() {
    echo "error: $1" >&2
    echo "  next      $2" >&2
    exit 2
}

folder="${1:?a folder for state and logs}"
[ "$(id -u)" -eq 0 ] || fail "starting SLURM needs root" "run it in a container as root"
mkdir -p "$folder/state" "$folder/spool" "$folder/munge"
folder="$(cd "$folder" && pwd)"

if ! command -v slurmctld slurmd munged sbatch >/dev/null; then
    command -v apt-get >/dev/null || fail "SLURM is not installed, and there is no apt-get" "install slurm-wlm and munge"
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends slurm-wlm munge; } \
        >"$folder/apt.log" 2>&1; then
        fail "slurm-wlm and munge could not be installed" "read $folder/apt.log"
    fi
fi

# A socket and a key of our own: a munge that already runs here stays as it is.
chown -R munge:munge "$folder/munge"
chmod 755 "$folder" "$folder/munge"
[ -f "$folder/munge/key" ] || head -c 1024 /dev/urandom >"$folder/munge/key"
chown munge:munge "$folder/munge/key"
chmod 400 "$folder/munge/key"
if ! munge -n -S "$folder/munge/socket" >/dev/null 2>&1; then
    runuser -u munge -- munged --key-file="$folder/munge/key" --socket="$folder/munge/socket" --force \
        --pid-file="$folder/munge/pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed"
fi

node="$(hostname -s)"
cat >"$folder/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
SlurmctldPort=16817
SlurmdPort=16818
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
JobRequeue=1
SchedulerType=sched/backfill
SchedulerParameters=requeue_setup_env_fail,bf_interval=2,sched_interval=2,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MinJobAge=3600
KillWait=30
# The machine is said to be a large one with GPUs: the job scripts ask for what a cluster has.
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=$node NodeAddr=127.0.0.1 CPUs=64 RealMemory=512000 Gres=gpu:a100:4 State=UNKNOWN
PartitionName=public Nodes=$node Default=YES MaxTime=INFINITE State=UP
CONF
touch "$folder"/gpu{0..3}
echo "Name=gpu Type=a100 File=$folder/gpu[0-3]" >"$folder/gres.conf"
export SLURM_CONF="$folder/slurm.conf"

is_alive() { [ -f "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }
is_alive "$folder/slurmctld.pid" || slurmctld -c
is_alive "$folder/slurmd.pid" || slurmd -N "$node"
for _ in $(seq 100); do
    state="$(sinfo --noheader --format=%T 2>/dev/null | head -n 1 || true)"
    if [ "$state" = idle ] || [ "$state" = mixed ]; then
        echo "$SLURM_CONF"
        exit 0
    fi
    sleep 0.3
done
fail "SLURM did not come up, its node is '${state:-unknown}'" "read $folder/slurmctld.log and $folder/slurmd.log"
