#!/bin/bash
# Sets this project up on any Linux or macOS machine: environment, a file for keys, a look at data and hardware.
# It can be called again at any time: what is there already stays.
set -euo pipefail
called_from="$PWD"
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'TEXT'
Usage: scripts/setup.sh [options]

  --python FILE        Python 3.11 or newer; by default the one that is found
  --conda              the conda environment cxrkit of environment.yml in place of .venv
  --env-file           write ~/.env with places for the keys of W&B and the hub, if there is no such file
  --data FOLDER        look whether mimic-cxr-jpg/ and mimic-ext-cxr-qba/ are in this folder
  --cxr-path FOLDER    root of MIMIC-CXR-JPG, when it lies elsewhere (or MIMIC_CXR_PATH)
  --qa-path FOLDER     root of MIMIC-Ext-CXR-QBA, when it lies elsewhere (or MIMIC_QA_PATH)
  --dry-run            print every command, and change nothing

On a SLURM cluster use ./setup_mimic_env.sh, on Google Cloud scripts/setup_gcp.sh.
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

# A name without a slash is looked for in PATH.
absolute_program() {
    case "$1" in */*) absolute "$1" ;; *) printf '%s' "$1" ;; esac
}

run() {
    printf '+'
    printf ' %q' "$@"
    echo
    [ "$dry" -eq 1 ] || "$@"
}

python='' conda=0 env_file=0 dry=0
cxr_path="$(absolute "${MIMIC_CXR_PATH:-}")" qa_path="$(absolute "${MIMIC_QA_PATH:-}")"
while [ "$#" -gt 0 ]; do
    case "$1" in
        --help | -h) usage; exit 0 ;;
        --conda) conda=1; shift; continue ;;
        --env-file) env_file=1; shift; continue ;;
        --dry-run) dry=1; shift; continue ;;
        --python | --data | --cxr-path | --qa-path) ;;
        *) fail "unknown option $1" "scripts/setup.sh --help lists them" ;;
    esac
    [ -n "${2:-}" ] || fail "$1 needs a value" "scripts/setup.sh --help shows which"
    case "$1" in
        --python) python="$(absolute_program "$2")" ;;
        --data) cxr_path="$(absolute "$2")/mimic-cxr-jpg" qa_path="$(absolute "$2")/mimic-ext-cxr-qba" ;;
        --cxr-path) cxr_path="$(absolute "$2")" ;;
        --qa-path) qa_path="$(absolute "$2")" ;;
    esac
    shift 2
done
[ "$conda" -eq 0 ] || [ -z "$python" ] || fail "--python and --conda exclude each other" "leave one of them out"

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    local name
    if [ -n "$python" ]; then
        is_new_enough "$python" || fail "$python is not Python 3.11 or newer" "name another one, or leave --python out"
        return
    fi
    for name in python3.11 python3.12 python3 python3.13 python; do
        if is_new_enough "$name"; then
            python="$(command -v "$name")"
            return
        fi
    done
    fail "no Python 3.11 or newer was found" "install it, name it with --python, or let conda bring it: --conda"
}

make_venv() {
    find_python
    command -v make >/dev/null || fail "there is no make" "install it: sudo apt-get install make, or xcode-select --install"
    run make setup "PYTHON=$python"
    cxrkit=(.venv/bin/cxrkit)
}

make_conda_environment() {
    command -v conda >/dev/null || fail "there is no conda" "install Miniforge, or leave --conda out for a plain .venv"
    if conda env list | grep -Eq '^cxrkit[[:space:]]'; then
        run conda env update --name cxrkit --file environment.yml
    else
        run conda env create --file environment.yml
    fi
    cxrkit=(conda run --no-capture-output --name cxrkit cxrkit)
}

# Keys are read from the environment or from this file, never from settings or command lines.
write_env_file() {
    local file="$HOME/.env"
    if [ -e "$file" ]; then
        echo "$file is there, and stays as it is"
        case "$(ls -ld "$file")" in ????------*) ;; *) echo "  others can read it; better: chmod 600 $file" ;; esac
        return
    fi
    echo "+ write $file (mode 600), for you to fill in WANDB_API_KEY and HF_TOKEN"
    [ "$dry" -eq 1 ] || (
        umask 077
        printf '%s\n' '# Read by cxrkit. Leave empty what you do not use.' 'WANDB_API_KEY=' 'HF_TOKEN=' >"$file"
    )
}

look_at_data() {
    [ -n "$2" ] || return 0
    [ -d "$2" ] || fail "no such folder: $2" "name the root of $1, or leave it out until the data is there"
    [ -n "$(ls -A "$2")" ] || fail "the folder $2 is empty" "download $1 to it, or leave it out until the data is there"
    echo "found $1 in $2"
}

# Before anything is made: a mistake in a path should not cost the minutes of an installation.
look_at_data MIMIC-CXR-JPG "$cxr_path"
look_at_data MIMIC-Ext-CXR-QBA "$qa_path"
if [ "$conda" -eq 1 ]; then make_conda_environment; else make_venv; fi
if [ "$env_file" -eq 1 ]; then write_env_file; fi
run "${cxrkit[@]}" hardware

paths=(--mimic_cxr_path "${cxr_path:-FOLDER}" --mimic_qa_path "${qa_path:-FOLDER}" --config configs/default_config.yaml)
echo
echo "next, prepare the data and look at it; then train"
printf ' '
printf ' %q' "${cxrkit[@]}" analyze "${paths[@]}"
echo
if [ "$conda" -eq 1 ]; then echo "  conda activate cxrkit && export PYTHON=python"; fi
printf '  ./scripts/launch_distributed_training.sh'
printf ' %q' "${paths[@]}"
echo
