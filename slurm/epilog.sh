#!/bin/bash
# Epilog (slurm.conf: Epilog=/etc/slurm/joulegrid-epilog.sh): after a job has had its node.
#
# As root it does one thing: the energy counters of the CPU packages are root's alone again,
# whichever job made them readable, and whatever Slurm says of it.
#
# An epilog that fails drains its node. This one says what is wrong in slurmd's log and ends well.
set -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C

# slurmd gives no argument; a test names a folder of its own.
powercap=${1:-/sys/class/powercap}
for counter in "$powercap"/intel-rapl:*/energy_uj; do
  if [ ! -f "$counter" ] || [ ! -O "$counter" ]; then continue; fi
  chmod go-r -- "$counter" ||
    printf 'joulegrid-epilog: %s cannot be closed again\n' "$counter" >&2
done
exit 0
