#!/bin/bash
# Four L4 on Google Cloud: makes the machine and its data disk, sets both up, trains, and gives the machine back.
# What happens on the machine itself is in scripts/gcp_machine.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'TEXT'
Usage: scripts/setup_gcp.sh --project ID --zone ZONE [options] [step ...] [-- options of the training]

Steps, in this order when none is named; each can be done again, and leaves alone what is there:
  create     the data disk and the machine, or starts the stopped machine
  copy       the program to the machine; no data, no keys, no results
  disk       mounts the data disk at /mnt/data; formatted only when it is blank
  driver     the NVIDIA driver, when nvidia-smi is missing
  setup      scripts/setup.sh there
  launch     analyzes the data and trains, in the background: it goes on after you have logged out
Only when named:
  pause      stops the training with a checkpoint; launch goes on with it
  stop       pause, then stops the machine; the disks stay, and are paid for
  delete     deletes the machine and its boot disk; the data disk stays, with data, workspace and checkpoints

  --project ID            Google Cloud project
  --zone ZONE             a zone with L4 machines, such as us-central1-a
  --name NAME             of the machine (default cxrkit); its data disk is NAME-data
  --machine-type TYPE     default g2-standard-48: 4 L4 with 24 GB each, 48 cores, 192 GB
  --data-disk-size SIZE   default 1500GB
  --image-family FAMILY   of ubuntu-os-cloud (default ubuntu-2404-lts-amd64)
  --driver VERSION        of Ubuntu's NVIDIA packages (default 580-server)
  --tunnel                ssh through Google's proxy, for machines without an open port
  --task vqa|classify     what to train (default vqa)
  --config FILE           its settings, a file of this project
  --dry-run               print every command, here and on the machine, in order; needs no gcloud

On the machine itself, scripts/setup_gcp.sh without --project and --zone does disk, driver, setup and launch.

Data: get MIMIC-CXR-JPG and MIMIC-Ext-CXR-QBA on the machine, to /mnt/data/mimic-cxr-jpg and
/mnt/data/mimic-ext-cxr-qba, with `wget --user NAME --ask-password` as PhysioNet shows: a password in a command
line or in the machine's metadata could be read by others. Keys of W&B and the hub: `scripts/setup.sh --env-file` there.
TEXT
}

fail() {
    echo "error: $1" >&2
    echo "  next      $2" >&2
    exit 2
}

run() {
    printf '+'
    printf ' %q' "$@"
    echo
    [ "$dry" -eq 1 ] || "$@"
}

# A command whose output is wanted. To a dry run nothing is there yet.
exec 3>&1
ask() {
    printf '+' >&3
    printf ' %q' "$@" >&3
    echo >&3
    [ "$dry" -eq 1 ] || "$@"
}

project='' zone='' name=cxrkit machine_type=g2-standard-48 data_disk_size=1500GB
image_family=ubuntu-2404-lts-amd64 dry=0
tunnel=() steps=() machine_options=() training=()
while [ "$#" -gt 0 ]; do
    case "$1" in
        --help | -h) usage; exit 0 ;;
        --dry-run) dry=1; shift; continue ;;
        --tunnel) tunnel=(--tunnel-through-iap); shift; continue ;;
        --) shift; training=("$@"); break ;;
        create | copy | disk | driver | setup | launch | pause | stop | delete) steps+=("$1"); shift; continue ;;
        --project | --zone | --name | --machine-type | --data-disk-size | --image-family | --driver | --task | --config) ;;
        *) fail "unknown option or step $1" "scripts/setup_gcp.sh --help lists them" ;;
    esac
    [ -n "${2:-}" ] || fail "$1 needs a value" "scripts/setup_gcp.sh --help shows which"
    case "$1" in
        --project) project="$2" ;;
        --zone) zone="$2" ;;
        --name) name="$2" ;;
        --machine-type) machine_type="$2" ;;
        --data-disk-size) data_disk_size="$2" ;;
        --image-family) image_family="$2" ;;
        --driver | --task | --config) machine_options+=("$1" "$2") ;;
    esac
    shift 2
done
[[ "$name" =~ ^[a-z]([-a-z0-9]{0,55}[a-z0-9])?$ ]] ||
    fail "a machine cannot be called '$name'" "use small letters, digits and hyphens, beginning with a letter"

# Only the machine that `create` made has this disk.
if [ -z "$project$zone" ] && [ -e "${DATA_DISK:-/dev/disk/by-id/google-cxrkit-data}" ]; then
    [ "$dry" -eq 0 ] || machine_options+=(--dry-run)
    [ "${#steps[@]}" -gt 0 ] || steps=(disk driver setup launch)
    words=(${machine_options[@]+"${machine_options[@]}"} "${steps[@]}")
    if [ "${#training[@]}" -gt 0 ]; then words+=(-- "${training[@]}"); fi
    exec scripts/gcp_machine.sh "${words[@]}"
fi
[ -n "$project" ] || fail "the Google Cloud project is not named" "add --project ID; gcloud projects list shows yours"
[ -n "$zone" ] || fail "the zone is not named" "add --zone ZONE, one with L4 machines, such as us-central1-a"
[ "$dry" -eq 1 ] || command -v gcloud >/dev/null ||
    fail "there is no gcloud" "install the Google Cloud CLI and run gcloud init, or look with --dry-run"
where=(--project "$project" --zone "$zone")

state_of() {
    ask gcloud compute "$1" list --project "$project" --zones "$zone" --filter "name=$2" --format 'value(status)'
}

# No service account: nothing on the machine can reach the project, so that a leak there stays there.
create() {
    local state
    state="$(state_of disks "$name-data")"
    if [ -z "$state" ]; then
        run gcloud compute disks create "$name-data" "${where[@]}" --type pd-balanced --size "$data_disk_size"
    fi
    state="$(state_of instances "$name")"
    case "$state" in
        '')
            run gcloud compute instances create "$name" "${where[@]}" --machine-type "$machine_type" \
                --maintenance-policy TERMINATE --no-service-account --no-scopes \
                --image-family "$image_family" --image-project ubuntu-os-cloud \
                --boot-disk-size 200GB --boot-disk-type pd-balanced \
                --disk "name=$name-data,device-name=cxrkit-data,boot=no,auto-delete=no"
            ;;
        TERMINATED | STOPPED) run gcloud compute instances start "$name" "${where[@]}" ;;
        RUNNING) echo "the machine $name runs" ;;
        *) fail "the machine $name is $state" "wait until that is over, then call this again" ;;
    esac
    wait_for_ssh
}

on_machine() {
    run gcloud compute ssh "$name" "${where[@]}" ${tunnel[@]+"${tunnel[@]}"} --command "$1"
}

wait_for_ssh() {
    local attempt
    for attempt in {1..20}; do
        if on_machine true; then return; fi
        echo "no answer yet ($attempt of 20)"
        sleep 10
    done
    fail "the machine $name does not answer" "gcloud compute ssh $name ${where[*]} --troubleshoot, or try --tunnel"
}

# By name, so that nothing else can go along: neither data nor results nor keys.
copy() {
    local bundle="TEMPORARY/cxrkit.tar.gz"
    if [ "$dry" -eq 0 ]; then
        temporary="$(mktemp -d)"
        trap 'rm -rf "$temporary"' EXIT
        bundle="$temporary/cxrkit.tar.gz"
    fi
    run tar -czf "$bundle" --exclude=__pycache__ --exclude='*.egg-info' --exclude=slurm/site.sh \
        src configs scripts slurm docs Makefile README.md CHANGELOG.md LICENSE pyproject.toml requirements.lock \
        environment.yml setup_data.py analyze_data.py train_mimic_cxr.py evaluate.py setup_mimic_env.sh
    run gcloud compute scp "$bundle" "$name:cxrkit.tar.gz" "${where[@]}" ${tunnel[@]+"${tunnel[@]}"}
    # Modules that are gone here must not stay there.
    on_machine 'mkdir -p cxrkit && rm -rf cxrkit/src && tar -xzf cxrkit.tar.gz -C cxrkit && rm cxrkit.tar.gz'
}

# A step of scripts/gcp_machine.sh; a dry run shows what it would do there.
machine_step() {
    local words=("$1" ${machine_options[@]+"${machine_options[@]}"})
    if [ "$1" = launch ] && [ "${#training[@]}" -gt 0 ]; then words+=(-- "${training[@]}"); fi
    on_machine "cxrkit/scripts/gcp_machine.sh$(printf ' %q' "${words[@]}")" || return
    if [ "$dry" -eq 1 ]; then
        echo "    there, in ~/cxrkit; the folder and the user's number are shown as they are here:"
        scripts/gcp_machine.sh --dry-run "${words[@]}" | sed 's/^/    /'
    fi
}

# A machine that does not answer must not go on costing: its checkpoints are whole, whenever it is stopped.
pause_if_it_runs() {
    local state
    state="$(state_of instances "$name")"
    case "$state" in TERMINATED | STOPPED) return ;; esac
    if [ -z "$state" ] && [ "$dry" -eq 0 ]; then
        fail "there is no machine $name in $zone" "gcloud compute instances list shows yours"
    fi
    machine_step pause || echo "the machine does not answer; it is stopped all the same" >&2
}

stop() {
    pause_if_it_runs
    run gcloud compute instances stop "$name" "${where[@]}"
}

delete() {
    pause_if_it_runs
    run gcloud compute instances delete "$name" "${where[@]}" --keep-disks data
    echo "the data disk is still there; to delete it with everything on it:"
    echo "  gcloud compute disks delete $name-data ${where[*]}"
}

[ "${#steps[@]}" -gt 0 ] || steps=(create copy disk driver setup launch)
for step in "${steps[@]}"; do
    echo "== $step"
    case "$step" in
        disk | driver | setup | launch | pause) machine_step "$step" ;;
        *) "$step" ;;
    esac
done
case "$step" in stop | delete) exit 0 ;; esac
echo
echo "the machine is paid for until it is stopped: scripts/setup_gcp.sh ${where[*]} --name $name stop"
