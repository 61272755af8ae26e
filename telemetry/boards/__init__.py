"""What is known of GPU boards from datasheets and papers: one row a board.

- `kinds`: memory, limits and how their power sensor behaves.
- `peaks`: the most that a board can move and compute in a second, as stated and as measured.
- `sensor_timing`: how often a board's power readings change, and what they average over.

Public: `COUNTER`, `GAIN_SHARE`, `GPU_KINDS`, `GpuKind`, `POWER_FIELDS`, `Peaks`, `Sensor`,
`Timing`, `peaks_of`, `sensor_of`.
"""
