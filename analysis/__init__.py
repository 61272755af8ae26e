"""From sealed runs to tables, figures, a report and an audit.

- `__main__`: tables, figures and one page from the sealed runs of a results folder.
- `abstracts/`: what a paper says of which the abstract alone is known, version by version, and
  what runs say.
- `appendix/`: what a paper appends of its measurements, from the record alone.
- `audit/`: every claim again, from files.
- `claims/`: what the paper claims, and whether measurements bear it out.
- `compare/`: sealed runs of several sides, cell by cell, with a verdict each.
- `crate/`: sealed runs as an RO-Crate, and a crate looked at.
- `effects/`: what repeats and grid points say of one another: variance, comparisons, a model
  of all.
- `energy/`: joules with their uncertainty.
- `figures/`: tables drawn.
- `findings/`: what the data say: the best points, what sets energy, where a joule goes.
- `footprint/`: carbon, cost and the forms that ask for them, by factors that the user states.
- `lengths/`: what lengths of prompts and answers take: by token, by phase, and as a formula of
  both.
- `meter/`: what an outside meter says of the runs.
- `paper/`: what others published, and what becomes of it here.
- `performance/`: latency, rates and the share of the bound.
- `power/`: what clocks, power and temperature do to speed and joules.
- `quality/`: what answers are worth: scored by what the data set holds for right, from the
  sealed run alone.
- `report/`: one page offline.
- `results/`: the door for people's own tools: a results folder as Arrow, pandas and polars.
- `runs/`: sealed runs as arrays.
- `statistics/`: repeats and comparisons.
- `tables/`: one module a table: its columns beside how each is computed.
- `workbook/`: every table that there is, made and written.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.results.opened import open_results as open_results
else:

    def __getattr__(name: str) -> object:
        # The one door of this map: whoever imports a room beside it must not load Arrow by it.
        if name == "open_results":
            from analysis.results.opened import open_results  # noqa: PLC0415

            return open_results
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
