#!/bin/bash
# Prolog (slurm.conf: Prolog=/etc/slurm/joulegrid-prolog.sh): before a job has its node.
#
# As root it does one thing: the energy counters of the CPU packages become readable for all. Linux
# hides them since 5.10, as they leak what neighbours compute (CVE-2020-8694); a node that is lent
# whole has no neighbour, so a job that shares its node changes nothing.
#
# A prolog that fails drains its node. This one says what is wrong in slurmd's log and ends well.
set -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C

# slurmd gives no argument; a test names a folder of its own.
powercap=${1:-/sys/class/powercap}
said() { printf 'joulegrid-prolog: %s\n' "$1" >&2; }

# Slurm sets it (prolog_epilog(5)); what is no number does not reach a command.
job=${SLURM_JOB_ID:-}
case $job in
  '' | *[!0-9]*) said "SLURM_JOB_ID must be a number, but is '$job' instead"; exit 0 ;;
esac
# This field alone: in the whole record a job's name or comment, its user's to choose, looks like it.
if ! shares=$(timeout 10 squeue --noheader --jobs "$job" --format %h 2>/dev/null); then
  said "job $job: squeue does not answer; the counters stay as they are"
  exit 0
fi
# An array's number has a line of each element: every one of them must have its node whole.
if [ -z "$shares" ] || printf '%s\n' "$shares" | grep -qvx NO; then
  said "job $job shares its node; the counters stay as they are"
  exit 0
fi
for counter in "$powercap"/intel-rapl:*/energy_uj; do
  # sysfs links zones by name: only what lies there as a plain file of root's is opened.
  if [ ! -f "$counter" ] || [ ! -O "$counter" ]; then continue; fi
  chmod a+r -- "$counter" || said "$counter cannot be made readable"
done
exit 0
