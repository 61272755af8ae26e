"""The door for people's own tools: a results folder as Arrow, pandas and polars.

- `frame`: rows for people's own tools, with what each column means.
- `opened`: the sealed runs of a results folder, their tables and traces, for people's own
  tools.
- `trace`: what one sealed run recorded, row by row: readings, spans, answers, steps.
- `trace_columns`: unit and meaning of what a run's own tables hold.

Public: `open_results`.
"""
