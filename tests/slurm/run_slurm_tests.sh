#!/bin/bash
# Starts SLURM on this machine, runs the tests that need one, and ends it again however they went.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder="$(mktemp -d)"
ended() {
    tests/slurm/stop_slurm.sh "$folder"
    rm -rf "$folder"
}
trap ended EXIT
SLURM_CONF="$(tests/slurm/start_slurm.sh "$folder" | tail -n 1)"
export SLURM_CONF
"${PYTHON:-.venv/bin/python}" -m pytest -m slurm tests/slurm "$@"
