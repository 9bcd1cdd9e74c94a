#!/bin/bash
# What scripts/setup_gcp.sh does on the machine in Google Cloud: data disk, driver, environment, training.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'TEXT'
Usage: scripts/gcp_machine.sh [options] step ... [-- options of the training]

  disk      mounts the data disk, now and at every start; formats it only when it is blank
  driver    installs the NVIDIA driver when nvidia-smi is missing
  setup     installs make, and runs scripts/setup.sh
  launch    analyzes the data, then trains, in the background
  pause     stops the training with a checkpoint

  --device FILE          the data disk (default DATA_DISK, or /dev/disk/by-id/google-cxrkit-data)
  --mount FOLDER         where it goes (default /mnt/data)
  --driver VERSION       of Ubuntu's driver packages (default 580-server, the first for CUDA 13)
  --task vqa|classify    what to train (default vqa)
  --config FILE          its settings (default configs/default_config.yaml)
  --dry-run              print every command, and change nothing
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

device="${DATA_DISK:-/dev/disk/by-id/google-cxrkit-data}" mount=/mnt/data driver=580-server
task=vqa config='' dry=0
steps=() training=()
while [ "$#" -gt 0 ]; do
    case "$1" in
        --help | -h) usage; exit 0 ;;
        --dry-run) dry=1; shift; continue ;;
        --) shift; training=("$@"); break ;;
        disk | driver | setup | launch | pause) steps+=("$1"); shift; continue ;;
        --device | --mount | --driver | --task | --config) ;;
        *) fail "unknown option or step $1" "scripts/gcp_machine.sh --help lists them" ;;
    esac
    [ -n "${2:-}" ] || fail "$1 needs a value" "scripts/gcp_machine.sh --help shows which"
    case "$1" in
        --device) device="$2" ;;
        --mount) mount="$2" ;;
        --driver) driver="$2" ;;
        --task) task="$2" ;;
        --config) config="$2" ;;
    esac
    shift 2
done
[ "${#steps[@]}" -gt 0 ] || fail "no step is named" "scripts/gcp_machine.sh --help lists them"
case "$task" in
    vqa) config="${config:-configs/default_config.yaml}" ;;
    classify) config="${config:-configs/internimage_b_mimic_cxr_224.yaml}" ;;
    *) fail "--task is vqa or classify, found '$task'" "name one of them" ;;
esac
for path in "$device" "$mount"; do
    # /etc/fstab has them as words.
    [[ "$path" =~ ^/[A-Za-z0-9._/-]+$ ]] || fail "not a plain absolute path: '$path'" "leave out spaces and signs"
done
unit=cxrkit-training

# Prints the type of the file system; nothing for a disk that is blank. Whatever else is on it, it is somebody's.
file_system() {
    local type=''
    if type="$(sudo blkid --probe --output value --match-tag TYPE "$device")" && [ -n "$type" ]; then
        echo "$type"
    elif sudo blkid --probe "$device" >/dev/null || ! sudo cmp --silent --bytes=16777216 "$device" /dev/zero; then
        fail "the disk $device is neither blank nor a file system" "look with: sudo blkid --probe $device; sudo lsblk -f"
    fi
}

disk() {
    local type='' new=0
    if [ "$dry" -eq 0 ]; then
        if mountpoint --quiet "$mount"; then
            echo "a disk is mounted at $mount"
            return
        fi
        [ -e "$device" ] || fail "there is no disk $device" "attach it; setup_gcp.sh --project ID --zone ZONE create does"
        type="$(file_system)"
    fi
    if [ -z "$type" ]; then
        echo "only when the disk is blank:"
        run sudo mkfs.ext4 -m 0 "$device"
        new=1
    fi
    run sudo mkdir -p "$mount"
    if ! grep -qsF "$device $mount " /etc/fstab; then
        # nofail: a machine whose data disk is missing should still start.
        run sudo bash -c "echo '$device $mount auto discard,noatime,nofail 0 2' >>/etc/fstab"
    fi
    run sudo mount "$mount"
    [ "$new" -eq 0 ] || run sudo chown "$(id -u):$(id -g)" "$mount"
}

driver() {
    if [ "$dry" -eq 0 ] && command -v nvidia-smi >/dev/null; then
        nvidia-smi -L || fail "the NVIDIA driver does not answer" "restart the machine: sudo reboot"
        return
    fi
    run sudo apt-get update
    run sudo apt-get install --yes ubuntu-drivers-common
    run sudo ubuntu-drivers install --gpgpu "nvidia:$driver"
    run sudo apt-get install --yes "nvidia-utils-$driver"
    run sudo modprobe nvidia || fail "the new driver does not load" "restart the machine: sudo reboot"
    run nvidia-smi -L
}

setup() {
    run sudo apt-get update
    run sudo apt-get install --yes make python3-venv
    run scripts/setup.sh
}

# A service of its own, so that it outlives the login, is told to stop when the machine is, and is asked by name.
launch() {
    local paths=(--mimic_cxr_path "$mount/mimic-cxr-jpg" --mimic_qa_path "$mount/mimic-ext-cxr-qba")
    paths+=(--workspace "$mount/workspace")
    local analyze=(.venv/bin/cxrkit analyze --task "$task" --config "$config" "${paths[@]}")
    local train=(scripts/launch_distributed_training.sh --task "$task" --config "$config" "${paths[@]}"
        --output_dir "$mount/checkpoints/$task" --resume_from_checkpoint auto ${training[@]+"${training[@]}"})
    if [ "$dry" -eq 0 ]; then
        for folder in "${paths[1]}" "${paths[3]}"; do
            [ -d "$folder" ] || fail "there is no $folder" "download the data set to it, then launch again"
        done
        if systemctl is-active --quiet "$unit"; then
            fail "a training is running already" "watch it: tail -f cxrkit/logs/training.log; or pause it first"
        fi
    fi
    run mkdir -p logs "$mount/checkpoints"
    # The signal goes to the launcher alone, which passes it on; then it has the time to save.
    run sudo systemd-run --unit "$unit" --collect --uid "$(id -u)" --working-directory "$PWD" \
        --setenv "HOME=$HOME" --property KillMode=mixed --property TimeoutStopSec=600 \
        --property "StandardOutput=append:$PWD/logs/training.log" \
        --property "StandardError=append:$PWD/logs/training.log" \
        bash -c "$(printf '%q ' "${analyze[@]}")&& exec $(printf '%q ' "${train[@]}")"
    echo "to watch it, on the machine: tail -f $PWD/logs/training.log; systemctl status $unit"
}

pause() {
    if [ "$dry" -eq 0 ] && ! systemctl is-active --quiet "$unit"; then
        echo "no training is running"
        return
    fi
    run sudo systemctl stop "$unit"
}

for step in "${steps[@]}"; do "$step"; done
