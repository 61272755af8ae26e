"""Points become specs, each with a verdict, before anything starts.

- `again`: a sealed campaign as a checked grid of this place, and what of it cannot be.
- `boards`: which GPU `gpu=auto` is here, and where a point's ranks compute.
- `check`: composed points become a checked grid, each with its verdict.
- `checkpoints`: what `weights=` names becomes a digest and a folder, before anything starts.
- `cluster`: where jobs run and what they may ask for there.
- `earlier`: what the record of a point's earlier attempts makes of it now.
- `grid`: planned points, each with its verdict and what it takes.
- `hub_reach`: whether prompts that only the hub has can be had from this machine now.
- `limits`: what this version, a cluster and a GPU's memory allow of a point.
- `originals`: the sealed runs of somebody's campaign, as far as they can be made again.
- `rebuild`: composed points from sealed runs: their work and measurement, this place's cluster.
- `running_order`: in which order the points of a campaign run, so that drift hits no axis.
- `twice`: points of a grid that are the same run: kept once, told, and refused where they
  differ.

Public: `Again`, `Cluster`, `Grid`, `HERE`, `HubReach`, `Original`, `PlannedPoint`,
`RunningOrder`, `Verdict`, `WORD`, `check`, `gpus_here`, `named_original`, `read_again`,
`results_folder`.
"""
