#!/bin/bash
# A real run over several nodes on one GPU machine: its GPUs are split over nodes of a development
# cluster, which talk over sockets as nodes do; the record is merged, sealed, audited and reported.
#   slurm/real_nodes.sh RESULTS NODES GPUS-PER-NODE KIND [MODEL [ENGINE]]
#   slurm/real_nodes.sh results/real 4 2 h200 7b
# Where Slurm's packages cannot be installed, slurm/carry.sh brings them.
set -euo pipefail

if [ "$#" -lt 4 ] || [ "$#" -gt 6 ]; then
  words='RESULTS NODES GPUS-PER-NODE KIND [MODEL [ENGINE]]'
  echo "real_nodes.sh: the words must be $words, but are '$*' instead" >&2
  exit 2
fi
results=$1 nodes=$2 gpus=$3 kind=$4 model=${5:-7b} engine=${6:-reference}
for number in "$nodes" "$gpus"; do
  case "$number" in
    '' | *[!0-9]*)
      echo "real_nodes.sh: numbers must be whole, but one is '$number' instead" >&2
      exit 2
      ;;
  esac
done
python=${JOULEGRID_PYTHON:-python}
here=$(cd "$(dirname "$0")" && pwd)
# A folder of its own, so that nobody's other cluster is touched.
folder=$(mktemp -d /tmp/jg-XXXXXX)
trap '"$python" "$here/devcluster" --folder "$folder" down --purge || true; rm -rf "$folder"' EXIT

eval "$("$python" "$here/devcluster" --folder "$folder" up "$nodes" "$gpus" --real-gpus)"
cd "$here/.."
# Two ranks a second node would take the first node's GPUs without the cluster's TaskProlog: what the
# ranks see is shown before they start.
srun --nodes="$nodes" --ntasks-per-node=1 --gpus-per-node="$gpus" \
  sh -c 'echo "$SLURMD_NODENAME sees GPUs $CUDA_VISIBLE_DEVICES"'
"$python" -m launcher cluster=devcluster cluster.device=cuda cluster.threads=null \
  cluster.gpus_per_node="$gpus" cluster.slurm.cpus_per_task=2 gpu="$kind" dtype=fp16 \
  model="$model" engine="$engine" gpus="$((nodes * gpus))" \
  dataset.source=sample prompts=32 batch_size=16 \
  max_gen_len=64 telemetry.idle_s=5 allow_dirty=true wait=true results="$results"
"$python" -m telemetry.merge "$results"
"$python" -m analysis.audit "$results"
"$python" -m analysis "$results"
sacct --format=JobID,JobName%20,State,Elapsed,NodeList,AllocTRES%50
