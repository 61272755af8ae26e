"""What others published, and what becomes of it here.

- `amount`: a number of ours with its interval and its sensors' ±, and what becomes of several.
- `answer`: a number of the paper, what our points with its conditions say, and why some do
  not.
- `beyond`: points of ours that a figure of shards shows beside the paper's, on any number of
  GPUs.
- `caps`: table III of the paper engine by engine, with a reason in every cell that is missing.
- `charts`: an exhibit's picture, drawn from its table: the paper's, ours, and what is not its.
- `comparison`: the table of the paper's numbers beside ours, where the conditions are the
  same.
- `counted`: joules of each grid point by both definitions, side by side.
- `definition`: which columns of ours a quantity of the paper is, by how tokens and energy
  count.
- `exhibit`: a figure or table of the paper as a table of ours, each published number a row.
- `exhibits`: every table and figure of arXiv 2310.03003 that has data, by its number.
- `hardware`: table I, what the nodes are, beside the nodes that our runs were on.
- `matching`: which points of ours stand beside a number of the paper, and why none does.
- `minimum`: table II, the fewest GPUs that a model ran on and its largest batch there.
- `origin`: the columns that say which runs a number of ours is of, and what these are not.
- `other_work`: which points of ours stand beside a change of the paper where none did its
  work.
- `point`: a grid point of ours as the paper's conditions see it, and in what it is not theirs.
- `published`: the numbers of arXiv 2310.03003, beside ours where the conditions are the same.
- `slug`: the column's name of a series of ours, from what people call it.

Public: `BEYOND`, `COMPARISON`, `COUNTED`, `EXHIBITS`, `Exhibit`, `PAPER`, `Published`, `SHARDED`,
`TABLE_THREE_ENGINES`, `chart`, `charts`, `exhibit_named`, `paper_conditions`, `published`.
"""
