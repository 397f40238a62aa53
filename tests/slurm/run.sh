#!/bin/bash
# Runs suites on a real Slurm: one node on the loopback interface, from Debian's packages, with nothing installed.
#
#   tests/slurm/run.sh PROGRAM STRESS
#
# PROGRAM is `haltbench`, STRESS the library with the policy `stress`, which fails on purpose. Packages are kept in
# $SLURM_PACKAGES if it is set. Checks that an array with a failing cell, a controller that is killed, a task that
# reaches its time limit, a task that is requeued and one that is cancelled end with the files of one `haltbench run`.
set -euo pipefail
program=$(realpath "$1")
stress=$(realpath "$2")
work=$(mktemp -d)
packages=${SLURM_PACKAGES:-$work/packages}
root=$work/root
pids=()

finish() {
  local status=$?
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  if [ "$status" = 0 ]; then rm -rf "$work"; else echo "failed; everything is kept in $work"; fi
}
trap finish EXIT

say() { printf '%4d s  %s\n' "$SECONDS" "$*"; }
fail() { say "FAILED: $*"; exit 1; }

# Waits up to $1 seconds for the rest of the words to succeed.
wait_for() {
  local end=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || fail "waited in vain for: $*"
    sleep 0.5
  done
}

### A cluster of one node

mkdir -p "$packages" "$root" "$work"/{state,spool,log}
if ! ls "$packages"/slurmctld_*.deb >/dev/null 2>&1; then
  (cd "$packages" && apt-get download libhwloc15 liblua5.1-0 libmunge2 slurm-client slurmctld slurmd \
    slurm-wlm-basic-plugins >"$work/log/apt" 2>&1) || fail "apt-get download: see $work/log/apt"
fi
for package in "$packages"/*.deb; do dpkg -x "$package" "$root"; done
libraries=$root/usr/lib/$(uname -m)-linux-gnu
export LD_LIBRARY_PATH=$libraries:$libraries/slurm-wlm
export SLURM_CONF=$work/slurm.conf
export PATH=$root/usr/bin:$PATH
port=$((20000 + $$ % 10000))
cat >"$SLURM_CONF" <<END
ClusterName=haltbench
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
PluginDir=$libraries/slurm-wlm
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/log/slurmctld
SlurmdLogFile=$work/log/slurmd
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
MaxArraySize=3
MinJobAge=3600
NodeName=localhost NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes=localhost Default=YES MaxTime=INFINITE State=UP
END
controller() {
  "$root/usr/sbin/slurmctld-wlm" -D >>"$work/log/slurmctld.out" 2>&1 &
  controller=$!
  pids+=("$controller")
}
controller
"$root/usr/sbin/slurmd-wlm" -D -N localhost -d "$root/usr/sbin/slurmstepd-wlm" >"$work/log/slurmd.out" 2>&1 &
pids+=("$!")
wait_for 30 bash -c 'sinfo --noheader --format=%T | grep -q idle'
say "a cluster is up: $(sinfo --version)"

### Suites

# The folder must be quoted everywhere, and has a pattern of Slurm in its name.
place="$work/a b's %A ü"
mkdir "$place"
cd "$place"
tiny() {
  cat <<END
name = "$1"
seeds = $2
[task]
name = "mano-stream"
modulus = 5
minimum_operators = 1
maximum_operators = 2
largest_operators = 4
[backbone]
name = "anira"
d_model = 16
d_ff = 32
heads = 2
[recurrence]
max_depth = 3
[training]
steps = $3
batch = 16
checkpoint_every = 500
log_every = 500
[evaluation]
instances = 30
batch = 16
END
}
{
  tiny many "[0, 1]" 5000
  for lines in 'name = "fixed"' 'name = "anira-e"' 'name = "random-trained"\nof = "anira-e"' 'name = "anira-o"' \
    'name = "stress"\nfault = ["none", "error"]'; do
    printf '[[policy]]\n%b\n' "$lines"
  done
} >many.toml
haltbench() { "$program" --plugin "$stress" "$@"; }

# The files of two runs folders are equal, except for those that depend on time or history.
same() {
  # A failed model keeps the folder that it was computed in, which is named after the run.
  diff -r --exclude=timings.json --exclude=log.txt --exclude=lock --exclude=slurm --exclude='work-*' "$1" "$2" ||
    fail "$1 and $2 differ"
  say "the same bytes: $(find "$1" -type f ! -name timings.json ! -name log.txt ! -name lock | wc -l) files of $1 and $2"
}
field() { scontrol show job "$1" | grep -o "$2=[^ ]*" | cut -d= -f2; }
is_idle() { [ -z "$(squeue --noheader)" ]; }

### A failing cell and a killed controller

haltbench run many.toml --runs whole >"$work/log/many" 2>&1 && fail "a run with failing cells succeeded"
say "one run of suite many is done"
jobs=$(haltbench submit slurm many.toml --runs array --tasks 8 -- --time=10 2>"$work/log/submit")
say "arrays $(echo $jobs): MaxArraySize=3 allows tasks 1 and 2 of each"
[ "$(echo "$jobs" | wc -l)" = 4 ] || fail "expected 4 arrays"
# Slurm saves its state every few seconds: a controller that is killed sooner forgets arrays.
sleep 12
[ -n "$(squeue --noheader)" ] || fail "the arrays ended before the controller could be killed"
kill -9 "$controller"
say "the controller was killed while $(ls array/models | wc -l) of 12 models had begun"
sleep 3
controller
wait_for 30 scontrol ping
say "the controller is up again"
wait_for 300 is_idle
failed=0
for job in $jobs; do for task in 1 2; do
  status=$(field "${job}_$task" JobState)/$(field "${job}_$task" ExitCode)/$(field "${job}_$task" Restarts)
  case $status in
    COMPLETED/0:0/0) ;;
    FAILED/1:0/0) failed=$((failed + 1)) ;;
    *) fail "task ${job}_$task: $status" ;;
  esac
done; done
[ "$failed" = 2 ] || fail "expected the failing cell of each seed in a task of its own, found $failed failed tasks"
say "$failed of 8 tasks failed with status 1 and were not queued again"
same whole array

### A time limit and a requeue

{ tiny long "[0]" "${LONG_STEPS:-60000}"; printf '[[policy]]\nname = "anira-e"\n'; } >long.toml
started=$SECONDS
haltbench run long.toml --runs whole --cores 1 >"$work/log/long" 2>&1
say "one run of suite long took $((SECONDS - started)) s"
# SIGTERM comes 90 s before the end of two minutes.
job=$(haltbench submit slurm long.toml --runs array --tasks 1 --time 2 --requeues 20 2>>"$work/log/submit")
output=array/long/slurm/${job}_1.txt
wait_for 30 test -e "$output"
wait_for 60 compgen -G "array/models/*/work-*/training.safetensors"
scontrol requeue "${job}_1"
say "requeued by hand while it was training"
wait_for 30 test "$(field "${job}_1" JobState)" != RUNNING
lift() { scontrol update "jobid=${job}_1" StartTime=now; }
requeues=1
while :; do
  wait_for 150 bash -c "scontrol show job ${job}_1 | grep -qE 'JobState=(PENDING|COMPLETED|FAILED|CANCELLED)'"
  state=$(field "${job}_1" JobState)
  [ "$state" = PENDING ] || break
  requeues=$((requeues + 1))
  # Slurm would wait for two minutes.
  wait_for 30 lift
  wait_for 30 bash -c "scontrol show job ${job}_1 | grep -qE 'JobState=(RUNNING|COMPLETED)'"
done
[ "$state" = COMPLETED ] || fail "the long task is $state: $(cat "$output")"
limits=$(grep -c "is queued again" "$output") || fail "it never reached its time limit: LONG_STEPS is too small"
say "the long task is done after $(field "${job}_1" Restarts) restarts, $limits of them at its time limit"
same whole array

### Cancelled

job=$(haltbench submit slurm long.toml --runs cancelled --tasks 1 2>>"$work/log/submit")
wait_for 60 compgen -G "cancelled/models/*/work-*/training.safetensors"
scancel "${job}_1"
wait_for 30 is_idle
[ "$(field "${job}_1" JobState)/$(field "${job}_1" Restarts)" = CANCELLED/0 ] || fail "a cancelled task lives on"
haltbench plan long.toml --runs cancelled >"$work/log/plan" || fail "plan"
haltbench submit slurm long.toml --runs cancelled --tasks 1 >/dev/null 2>>"$work/log/submit"
wait_for 300 is_idle
say "a cancelled task stayed cancelled and continued when it was submitted again"
rm -r whole/many
for model in whole/models/*; do [ -e "cancelled/models/${model##*/}" ] || rm -r "$model"; done
same whole cancelled
say "all well"
