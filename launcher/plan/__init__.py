"""Points become specs, each with a verdict, before anything starts.

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
- `limits`: what this version, a cluster and a GPU's memory allow of a point.
- `pace`: about how long a batch takes, where the plan may choose how much work there is.
- `running_order`: in which order the points of a campaign run, so that drift hits no axis.
- `twice`: points of a grid that are the same run: kept once, told, and refused where they
  differ.
- `way_out`: what of a point that this machine has no room for would run on it.
- `whole_node`: `gpus=auto` is all GPUs of one node, once it is known how many those are.

Public: `Cluster`, `Grid`, `HubReach`, `PlannedPoint`, `RunningOrder`, `Tell`, `Verdict`, `check`,
`keep_from_git`, `results_folder`, `tell_nobody`, `way_out`.
"""
