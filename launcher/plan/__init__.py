"""Points become specs, each with a verdict, before anything starts.

- `again`: a sealed campaign as a checked grid of this place, and what of it cannot be.
- `auto_cluster`: whether `cluster=auto` is this machine or its Slurm, by what the line can
  need.
- `auto_repeats`: what `repeats=auto` asks for: how narrow, how few, how many, and for how
  much.
- `boards`: which GPU `gpu=auto` is here, and where a point's ranks compute.
- `check`: composed points become a checked grid, each with its verdict.
- `checkpoints`: what `weights=` names becomes a digest and a folder, before anything starts.
- `cluster`: where jobs run and what they may ask for there.
- `earlier`: what the record of a point's earlier attempts makes of it now.
- `fit`: what `auto` stands for: formats, amounts of work and of measuring that a machine can
  hold.
- `git_silence`: a results folder in the project's own checkout is no uncommitted change of it.
- `grid`: planned points, each with its verdict and what it takes.
- `hub_reach`: whether prompts that only the hub has can be had from this machine now.
- `kept_format`: in which numbers a point keeps keys and values, and which boards can.
- `limits`: what this version, a cluster and a GPU's memory allow of a point.
- `offers`: which boards the nodes of a Slurm partition have, by what Slurm calls their GPUs.
- `originals`: the sealed runs of somebody's campaign, as far as they can be made again.
- `own_models`: what `model=` names by a folder or by the hub becomes a configuration, once.
- `pace`: about how long a batch takes, where the plan may choose how much work there is.
- `places`: what of a point's configuration names a file, a folder or a thing.
- `power`: caps and clocks as points ask for them, and whether anybody can set them there.
- `rebuild`: composed points from sealed runs: their work and measurement, this place's
  cluster.
- `repeats_asked`: how many repeats of a point a line asks for, or by which rule.
- `running_order`: in which order the points of a campaign run, so that drift hits no axis.
- `staged_models`: a hub's model in the cache of staged copies, read where there is no network.
- `twice`: points of a grid that are the same run: kept once, told, and refused where they
  differ.
- `way_out`: what of a point that this machine has no room for would run on it.
- `whole_node`: `gpus=auto` is all GPUs of one node, once it is known how many those are.

Public: `Again`, `AutoRepeats`, `COMMIT`, `CONFIG`, `Cluster`, `ClusterChooser`, `FILES`, `Grid`,
`HERE`, `HUB_NAME`, `HubReach`, `KEY`, `Original`, `PlannedPoint`, `RECORD`, `RunningOrder`,
`SIGNERS`, `StagedFile`, `StagedModel`, `Tell`, `Verdict`, `WORD`, `check`, `find_staged`,
`gpus_here`, `hub_notes`, `keep_from_git`, `model_folder`, `named_cluster`, `named_original`,
`read_again`, `results_folder`, `rule_of`, `tell_nobody`, `way_out`, `with_own_model`.
"""
