#!/bin/bash
# Ends the SLURM that start_slurm.sh FOLDER started, by the process ids it noted.
set -euo pipefail
folder="${1:?the folder given to start_slurm.sh}"
for name in slurmctld.pid slurmd.pid munge/pid; do
    file="$folder/$name"
    [ -f "$file" ] || continue
    number="$(cat "$file")"
    kill "$number" 2>/dev/null || true
    for _ in $(seq 50); do
        kill -0 "$number" 2>/dev/null || break
        sleep 0.1
    done
done
