"""Tables drawn.

- `axes`: scales, ticks and names of a panel of a picture.
- `bars`: figures with one bar a grid point.
- `batch_size`: the energy of a token against how many prompts are answered together.
- `bounded`: a chart of no more marks than are told apart, which says what it leaves out and
  where.
- `canvas`: how every figure looks, and how it becomes SVG that is the same every time.
- `caps`: time, energy and their product of a token against cap and against clock, by phase.
- `chart`: what a figure shows, told once, from which every renderer draws.
- `choices`: what a bound of time saves, and energy times time.
- `claims`: what the paper says, claim by claim, beside what was found, on one axis.
- `comparisons`: what each level of a factor takes over another, one mark a comparison.
- `complexity`: energy of a response against what was asked and answered.
- `draw_all`: what the tables say, drawn; a figure without data gives its reason instead.
- `dvfs`: energy and time of a token against the clock, a pair of panels a task.
- `engine_ladder`: what software alone is worth, one line a work and one place an engine.
- `engines`: one grid point under each engine, bar beside bar.
- `finding_marks`: rows of the findings as marks, with their intervals, sentences and labels.
- `format_curve`: joules, speed and what is saved against rows, one line a format.
- `formats`: what fewer bits save, and what they cost the logits.
- `goodput`: tokens of answers in time per joule, under each pair of bounds.
- `interactive`: a chart as the data and layout of plotly, which the page draws.
- `joules`: where the joules of each run went, in shares of its window.
- `labels`: what tells points of a figure apart, and numbers as figures write them.
- `legend`: what tells the series of a picture apart, whole in its width.
- `lengths`: energy of a response against both lengths, the formula's lines, and what is left.
- `look`: how a series is told from others on paper, and words as a picture shows them.
- `marks`: rows of the tables as marks of a chart, with their intervals, axes and labels.
- `observed_clock`: time of a step and energy of a token against clocks that nobody set.
- `palette`: colours of series, for light and for dark paper.
- `panel`: one pair of axes of a picture, with all that stands on them.
- `pareto`: time against energy of points of the same work, and the front of them.
- `phases`: the energy of each run, phase by phase.
- `places`: where the bars of a panel stand, the same for every renderer.
- `plot_axes`: what plotly has of a panel beside its traces: axes, lines, shades and a title.
- `power`: the power of GPUs over time, of one run and of many, by one rule.
- `rendered`: a chart as the report takes it, as a picture and as a plot of its page.
- `said`: a mark and its interval in words, for whoever points at it or prints its value.
- `scaling`: what becomes of speed and energy on more GPUs, a line a family.
- `sharding`: one model on more GPUs, one line an engine.
- `static`: a chart on paper, by matplotlib: SVG and PDF that are the same every time.
- `variance`: how much of the scatter is between runs, nodes and GPUs, one bar a level.
- `witnesses`: what each reading of a run's energy says, over what an outside meter says.

Public: `COLOURS`, `Chart`, `ChartSeries`, `DrawnFigure`, `Kind`, `Line`, `Mark`, `Panel`,
`SIMULATED`, `SYMBOLS`, `Shade`, `WIDTH_IN`, `draw_all`, `figure_of`, `names_of`, `pdf`,
`standalone`, `svg`, `undrawn`, `variables`, `without_variables`.
"""
