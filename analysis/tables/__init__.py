"""One module a table: its columns beside how each is computed.

- `column`: what one number of a table means, and how the page shows it.
- `columns`: columns of the table of runs, and what tells points of a grid apart.
- `contrast`: grid points that differ in one thing alone, side by side.
- `contrast_columns`: engines, GPUs, formats of numbers.
- `gpu_columns`: phases, energies and sensors.
- `group_columns`: grid points, the paper's numbers, and what does not count.
- `groups`: runs that differ in nothing but `repeat`, as one row with its intervals.
- `performance_columns`: columns of the tables of speed and of the conditions that runs had.
- `performance_rows`: rows of the tables of speed and of conditions.
- `published`: the numbers of arXiv 2310.03003, beside ours where the conditions are the same.
- `rows`: one run's numbers under the columns of its tables.
- `table`: rows of numbers made from sealed runs, written as CSV and Parquet.

Public: `Column`, `PAPER`, `Row`, `SIDES`, `Table`, `Tables`, `alike`, `build_tables`,
`estimated_bytes`, `gpu_rows`, `phase_rows`, `published`, `report_folder`, `run_order`, `run_row`,
`visible`, `write_tables`.
"""
