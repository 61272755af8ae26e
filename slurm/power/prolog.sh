#!/bin/sh
# Prolog of the power broker (docs/power_broker.md), beside broker.py in a folder of root's own.
#
# It hands on three words of slurmd's and nothing else of the environment. What it gives to broker.py
# besides is root's to say here: --clocks=reset where the site locks no clocks, so that jobs may.
# A prolog that fails drains its node: whatever comes, this one ends well.
/usr/bin/env -i /usr/bin/timeout --kill-after=5 60 /usr/bin/python3 -I -S "${0%/*}/broker.py" prolog \
  "--job=${SLURM_JOB_ID:-}" "--gpus=${SLURM_JOB_GPUS:-}" "--node=${SLURMD_NODENAME:-}" "$@"
exit 0
