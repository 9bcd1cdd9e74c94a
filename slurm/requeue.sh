# shellcheck shell=bash
# What the training jobs share: sourced by them, from the folder where sbatch was called.

# Three starts that end before the training began, one after the other, are enough.
MOST_IDLE_STARTS=3
SECONDS_TO_BE_ENDED=120

# Goes to the project, and loads modules, environment and data paths of this cluster.
enter_project() {
    cd "${SLURM_SUBMIT_DIR:-.}" || exit 2
    # Written by setup_mimic_env.sh. Some module systems read variables that are not set.
    set +u
    # shellcheck source=/dev/null
    if [ -f slurm/site.sh ]; then . slurm/site.sh; fi
    set -u
    data=()
    if [ -n "${MIMIC_CXR_PATH:-}" ]; then data+=(--mimic_cxr_path "$MIMIC_CXR_PATH"); fi
    if [ -n "${MIMIC_QA_PATH:-}" ]; then data+=(--mimic_qa_path "$MIMIC_QA_PATH"); fi
    if [ -n "${WORKSPACE:-}" ]; then data+=(--workspace "$WORKSPACE"); fi
    echo "job ${SLURM_JOB_ID:-none}, restart ${SLURM_RESTART_COUNT:-0}, on $(hostname), $(date '+%F %T')"
}

# Runs a training until it ends or SLURM warns of the end of the time; then it saves, and the job goes back into
# the queue. Ends with the training's exit code.
train_and_requeue() {
    "$@" &
    local training=$! told='' code=0
    # shellcheck disable=SC2317  # the traps call it
    tell() {
        told="$1"
        trap '' USR1 TERM
        kill -USR1 "$training" 2>/dev/null || true
    }
    trap 'tell USR1' USR1
    trap 'tell TERM' TERM
    # `wait` returns at once when a signal comes, so it is called again for the exit code.
    wait "$training" || code=$?
    if [ -n "$told" ]; then
        code=0
        wait "$training" || code=$?
    fi
    # Whoever cancels a job (TERM) does not want it back.
    if [ "$told" = USR1 ] && [ -n "${SLURM_JOB_ID:-}" ] && may_start_again "$code"; then
        echo "back into the queue, $(date '+%F %T')"
        trap - TERM
        # SLURM ends this script now. Ending by itself at the same moment, it would count as a failed job.
        if scontrol requeue "$SLURM_JOB_ID"; then
            sleep "$SECONDS_TO_BE_ENDED" &
            wait $!
        fi
    fi
    exit "$code"
}

# 75: stopped as asked, with a checkpoint. 138: ended by the warning itself, before the training had begun or after
# it, where nothing is lost either; but a job that never gets as far as training must not go round for ever.
may_start_again() {
    local file="logs/idle_starts_${SLURM_JOB_ID}" idle=0
    if [ "$1" -eq 75 ]; then
        rm -f "$file"
        return 0
    fi
    [ "$1" -eq 138 ] || return 1
    if [ -f "$file" ]; then idle="$(cat "$file")"; fi
    idle=$((idle + 1))
    mkdir -p logs
    echo "$idle" >"$file"
    [ "$idle" -lt "$MOST_IDLE_STARTS" ] && return 0
    echo "error: $idle starts ended before the training began; it is not put back into the queue" >&2
    echo "  next      ask for more time (#SBATCH --time), or run cxrkit prepare in a job of its own" >&2
    rm -f "$file"
    return 1
}
