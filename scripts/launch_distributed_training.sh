#!/bin/bash
# Trains on everything this machine, or this SLURM allocation, has: one process per GPU, through torchrun.
# Ends with the exit code of the training: 75 when it was asked to stop and saved a checkpoint.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'TEXT'
Usage: scripts/launch_distributed_training.sh [options] [options of the training]

  --task vqa|classify   what to train (default vqa)
  --processes N         processes per machine; by default one per GPU, or one without a GPU
  --no-auto             batch, accumulation and loading processes of the configuration, not those of this machine
  --dry-run             print the command, and do not run it

Several machines: call it on each of them, with `srun --ntasks-per-node=1` inside a SLURM job, or with
NNODES, NODE_RANK, MASTER_ADDR and MASTER_PORT set by hand. Everything else goes to the training, such as
--config configs/default_config.yaml or --resume_from_checkpoint auto.
TEXT
}

fail() {
    echo "error: $1" >&2
    echo "  next      $2" >&2
    exit 2
}

task=vqa processes='' dry='' auto=--auto
rest=()
while [ $# -gt 0 ]; do
    case "$1" in
        --task) task="${2:-}"; shift 2 || fail "--task needs a value" "vqa or classify" ;;
        --processes) processes="${2:-}"; shift 2 || fail "--processes needs a value" "a whole number" ;;
        --no-auto) auto=''; shift ;;
        --dry-run) dry=yes; shift ;;
        -h | --help) usage; exit 0 ;;
        *) rest+=("$1"); shift ;;
    esac
done
case "$task" in vqa | classify) ;; *) fail "--task is vqa or classify, found '$task'" "name one of them" ;; esac

python="${PYTHON:-.venv/bin/python}"
command -v "$python" >/dev/null || fail "there is no $python" "run make setup, or set PYTHON"
if [ -z "$processes" ]; then
    processes="$("$python" -c 'import torch; print(max(1, torch.cuda.device_count()))')"
fi
[[ "$processes" =~ ^[1-9][0-9]*$ ]] || fail "--processes is a whole number from 1, found '$processes'" "give one"

# The sizes of the guide are those of the question answering model; `cxrkit hardware` shows them.
if [ -n "$auto" ] && [ "$task" = vqa ]; then rest+=("$auto"); fi

# SLURM says which machine this is, and the first one of them is where all meet.
nodes="${NNODES:-${SLURM_NNODES:-1}}"
node="${NODE_RANK:-${SLURM_NODEID:-0}}"
if [ "$nodes" -gt 1 ]; then
    if [ -z "${MASTER_ADDR:-}" ]; then
        [ -n "${SLURM_JOB_NODELIST:-}" ] || fail "MASTER_ADDR is not set" "set it to the first machine's name"
        # Not through `head`: it would end a scontrol that is still writing, and with it this script.
        names="$(scontrol show hostnames "$SLURM_JOB_NODELIST")"
        MASTER_ADDR="${names%%$'\n'*}"
    fi
    meeting=(--nnodes "$nodes" --node_rank "$node" --master_addr "$MASTER_ADDR" --master_port "${MASTER_PORT:-29500}")
else
    meeting=(--standalone)
fi
# Each process computes with its share of the cores.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$(($(nproc) / processes > 0 ? $(nproc) / processes : 1))}"

if [ "$processes" -eq 1 ] && [ "$nodes" -eq 1 ]; then
    command=("$python" -m cxrkit train "$task" ${rest[@]+"${rest[@]}"})
else
    command=("$python" -m cxrkit.training.launcher "${meeting[@]}" --nproc_per_node "$processes"
        -m cxrkit train "$task" ${rest[@]+"${rest[@]}"})
fi
if [ -n "$dry" ]; then
    printf '%q ' "${command[@]}"
    printf '\n'
    exit 0
fi
"$python" -m cxrkit hardware
exec "${command[@]}"
