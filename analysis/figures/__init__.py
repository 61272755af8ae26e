"""Tables drawn.

- `bars`: figures with one bar a grid point.
- `batch_size`: the energy of a token against how many prompts are answered together.
- `canvas`: how every figure looks, and how it becomes SVG that is the same every time.
- `draw_all`: what the tables say, drawn; a figure without data gives its reason instead.
- `engines`: one grid point under each engine, bar beside bar.
- `formats`: what fewer bits save, and what they cost the logits.
- `labels`: what tells points of a figure apart, and numbers as figures write them.
- `phases`: the energy of each run, phase by phase.
- `power`: the power of a run's GPUs over time, shaded by what rank 0 was doing.
- `sharding`: one model on more GPUs, one line an engine.
- `witnesses`: what each reading of a run's energy says, over what an outside meter says.

Public: `DrawnFigure`, `MARKERS`, `PALETTE`, `draw_all`, `names_of`, `new_figure`, `plain`,
`standalone`, `style`, `to_svg`, `watermark`, `wrapped`.
"""
