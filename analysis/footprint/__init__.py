"""Carbon, cost and the forms that ask for them, by factors that the user states.

- `__main__`: carbon and cost by what you state of grid and price, and two forms that ask for
  them.
- `amount`: a number with its interval, carried through a factor; or why there is none.
- `factors`: what the user states of grid, price and building, each with its source and time.
- `factors_file`: what a user wrote, as a mapping: a bounded plain file, each key once, no
  tricks.
- `footprint`: carbon and cost of what was measured, by what the user states, and nothing else.
- `forms`: the line of SCI for AI, and that of the EU's model documentation form.
- `mix`: what a center would save a GPU-year, by the shares of GPU-hours that it states.
- `mix_written`: what a center's mix would save, as JSON, CSV and Markdown, and as lines.
- `operations`: floating-point operations of a run's generated tokens, by the model's
  arithmetic.
- `subject`: what a footprint is of: a run, a grid point, or all runs together.
- `table`: one row a run, grid point or whole, for CSV and LaTeX.
- `written`: a footprint as JSON, CSV, Markdown and LaTeX; each says what its numbers are not.
"""
