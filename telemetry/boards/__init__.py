"""What is known of GPU boards from datasheets, papers and boards that were read: one row a board.

- `ada`: rows of the L4, L40S, RTX 4090 and RTX 6000 Ada.
- `agreement`: is the board that a driver names the one that was asked for?
- `ampere`: rows of the A100, A30, A40 and A10.
- `blackwell`: rows of the B200 and the RTX 5090.
- `board`: one kind of GPU board: memory, limits, clocks, peaks and how its power sensor
  behaves.
- `hopper`: rows of the H100, GH200 and H200.
- `lookup`: what is known of a GPU that a host's inventory tells of.
- `peaks`: the most that a board can move and compute in a second, as stated and as measured.
- `reading_limits`: the most that readings can be, from a board's row and what its driver told.
- `sensor_timing`: how often a board's power readings change, and what they average over.
- `sensors_only`: only how their power sensor behaves was looked up.
- `simulation`: what the simulated source takes of a board's row, and writes into the record.
- `spellings`: which board somebody means, a user or a batch system, by another name than a
  row's.
- `table`: every board that the project knows, by short name and by what its driver calls it.
- `volta`: rows of the V100.

Public: `ASSUMED_CONTEXT_BYTES`, `ASSUMED_NCCL_BYTES`, `BOARDS`, `Board`, `COUNTER`,
`CUBLAS_WORKSPACE_BYTES`, `GAIN_SHARE`, `POWER_AVERAGE`, `POWER_FACTOR`, `POWER_FIELDS`,
`POWER_SAMPLE`, `Peaks`, `SIMULATED`, `Sensor`, `SimulatedBoard`, `TIMED_FIELDS`, `Timing`,
`UPDATE_PERIODS`, `adopt`, `board_called`, `board_fault`, `board_meant`, `board_names`, `board_of`,
`boards_fault`, `peaks_of`, `reading_limits`, `seen_board`, `sensor_of`.
"""
