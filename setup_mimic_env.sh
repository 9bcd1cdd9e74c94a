#!/bin/bash
# Sets this project up on a cluster, once: environment, folders, pretrained weights, lines of the SLURM scripts.
set -euo pipefail
called_from="$PWD"
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
    cat <<'TEXT'
Usage: ./setup_mimic_env.sh [options]

  --cxr-path FOLDER    root of MIMIC-CXR-JPG
  --qa-path FOLDER     root of MIMIC-Ext-CXR-QBA
  --workspace FOLDER   where the prepared index and films go, on a large disk
  --modules "A B"      modules to load first, here and in the jobs, such as "anaconda3 cuda/11.8"
  --python FILE        Python 3.11 or newer; by default the one that is found
  --partition NAME     SLURM partition of the jobs
  --qos NAME           their quality of service
  --email ADDRESS      who is told when they end
  --skip-weights       do not fetch the ImageNet weights of InternImage-B
  --dry-run            print what would be done, and do nothing
TEXT
}

fail() {
    echo "error: $1" >&2
    echo "  next      $2" >&2
    exit 2
}

# A path as it was meant where the script was called from.
absolute() {
    case "$1" in '' | /*) printf '%s' "$1" ;; *) printf '%s/%s' "$called_from" "$1" ;; esac
}

cxr_path='' qa_path='' workspace='' modules='' python='' partition='' qos='' email='' weights=1 dry=0
while [ "$#" -gt 0 ]; do
    case "$1" in
        --help | -h) usage; exit 0 ;;
        --skip-weights) weights=0; shift; continue ;;
        --dry-run) dry=1; shift; continue ;;
        --cxr-path | --qa-path | --workspace | --modules | --python | --partition | --qos | --email) ;;
        *) fail "unknown option $1" "./setup_mimic_env.sh --help lists them" ;;
    esac
    [ "$#" -ge 2 ] || fail "$1 needs a value" "./setup_mimic_env.sh --help shows which"
    case "$1" in
        --cxr-path) cxr_path="$(absolute "$2")" ;;
        --qa-path) qa_path="$(absolute "$2")" ;;
        --workspace) workspace="$(absolute "$2")" ;;
        --modules) modules="$2" ;;
        --python) python="$2" ;;
        --partition) partition="$2" ;;
        --qos) qos="$2" ;;
        --email) email="$2" ;;
    esac
    shift 2
done
for folder in "$cxr_path" "$qa_path"; do
    [ -z "$folder" ] || [ -d "$folder" ] || fail "no such folder: $folder" "name the root of the data set"
done
for value in "$partition" "$qos" "$email"; do
    case "$value" in *[!A-Za-z0-9@._,:+-]*) fail "SLURM has no such name: $value" "leave out spaces and signs" ;; esac
done

run() {
    echo "+ $*"
    [ "$dry" -eq 1 ] || "$@"
}

# Puts a value into the #SBATCH lines of all jobs; a line that was switched off is switched on.
set_option() {
    [ -n "$2" ] || return 0
    run sed -i -E "s|^#+SBATCH --$1=.*|#SBATCH --$1=$2|" slurm/*.sbatch
}

site() {
    echo '# Of this cluster; written by setup_mimic_env.sh, read by the jobs.'
    for name in $modules; do printf 'module load %q\n' "$name"; done
    for pair in "MIMIC_CXR_PATH=$cxr_path" "MIMIC_QA_PATH=$qa_path" "WORKSPACE=$workspace"; do
        [ -z "${pair#*=}" ] || printf 'export %s=%q\n' "${pair%%=*}" "${pair#*=}"
    done
}

for name in $modules; do run module load "$name"; done
run mkdir -p logs results checkpoints
if [ -n "$python" ]; then run make setup "PYTHON=$python"; else run make setup; fi
echo "+ write slurm/site.sh:"
site | sed 's/^/    /'
[ "$dry" -eq 1 ] || site > slurm/site.sh
set_option partition "$partition"
set_option qos "$qos"
set_option mail-user "$email"
[ -z "$email" ] || set_option mail-type END,FAIL

if [ "$weights" -eq 1 ]; then
    # Compute nodes often have no network: what is fetched here lies in the hub's cache for the jobs.
    fetch='from cxrkit.models.backbone import create_backbone; create_backbone("internimage_b", True)'
    if ! run .venv/bin/python -c "$fetch"; then
        echo "the weights were not fetched: pass a file with --set model.pretrained=/path/to/internimage_b_1k_224.pth" >&2
    fi
fi

analyze=(.venv/bin/cxrkit analyze --config configs/internimage_b_mimic_cxr_224.yaml)
analyze+=(--mimic_cxr_path "${cxr_path:-FOLDER}" --mimic_qa_path "${qa_path:-FOLDER}")
[ -z "$workspace" ] || analyze+=(--workspace "$workspace")
echo
echo "next, on a node with many cores: prepare the data and look at it"
printf ' '
printf ' %q' "${analyze[@]}"
echo
echo "then"
echo "  sbatch slurm/train_mimic.sbatch     # 14 findings; slurm/train_vqa.sbatch trains on the questions"
echo "  sbatch slurm/eval_mimic.sbatch"
