"""Tables drawn.

- `bars`: figures with one bar a grid point.
- `batch_size`: the energy of a token against how many prompts are answered together.
- `canvas`: how every figure looks, and how it becomes SVG that is the same every time.
- `chart`: what a figure shows, told once, from which every renderer draws.
- `draw_all`: what the tables say, drawn; a figure without data gives its reason instead.
- `engines`: one grid point under each engine, bar beside bar.
- `formats`: what fewer bits save, and what they cost the logits.
- `interactive`: a chart as the data and layout of plotly, which the page draws.
- `labels`: what tells points of a figure apart, and numbers as figures write them.
- `marks`: rows of the tables as marks of a chart, with their intervals, axes and labels.
- `palette`: colours of series, for light and for dark paper.
- `phases`: the energy of each run, phase by phase.
- `places`: where the bars of a panel stand, the same for every renderer.
- `power`: the power of GPUs over time: of one run with all that is known, of many runs at a
  glance.
- `rendered`: a chart as the report takes it, as a picture and as a plot of its page.
- `said`: a mark and its interval in words, for whoever points at it or prints its value.
- `sharding`: one model on more GPUs, one line an engine.
- `static`: a chart on paper, by matplotlib: SVG and PDF that are the same every time.
- `witnesses`: what each reading of a run's energy says, over what an outside meter says.

Public: `Chart`, `DrawnFigure`, `MARKERS`, `PALETTE`, `WIDTH_IN`, `draw_all`, `names_of`,
`new_figure`, `pdf`, `plain`, `standalone`, `style`, `to_svg`, `variables`, `watermark`, `wrapped`.
"""
