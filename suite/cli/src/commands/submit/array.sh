#!/bin/bash
# A task of a Slurm array: one share of a suite. A cell is in the share of its
# model, so no task waits for another. Argument: shares before this array.
share=$(($1 + SLURM_ARRAY_TASK_ID))
task=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
cd @CURRENT@ || exit 2
@WORKER@ --shard "$share/@COUNT@" &
worker=$!

# SIGTERM comes before the time limit. The worker writes a checkpoint and ends
# with 143. A signal interrupts `wait`, so wait again for the worker's status.
trap 'signalled=yes; kill -TERM "$worker" 2>/dev/null' TERM INT
signalled=yes
while [ -n "$signalled" ]; do
  signalled=
  wait "$worker"
  status=$?
done

# 0: done; 1: some cells failed; 2, 3, 4: the suite, a plugin or data are wrong.
# None of these would end otherwise next time. 130, 143: the worker can continue.
# A task that was cancelled or requeued by others is no longer RUNNING.
case $status in 130 | 143)
  state=$(squeue --noheader --format=%T --jobs="$task")
  if [ "$state" = RUNNING ] && [ "${SLURM_RESTART_COUNT:-0}" -lt @REQUEUES@ ]; then
    echo "share $share was stopped and is queued again ($((${SLURM_RESTART_COUNT:-0} + 1)) of @REQUEUES@)"
    scontrol requeue "$task"
  fi ;;
esac
exit "$status"
