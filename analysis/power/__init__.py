"""What clocks, power and temperature do to speed and joules.

- `clock_readings`: how fast tokens came, and at what power, whenever a clock was read
  meanwhile.
- `observed`: what the clocks and temperatures that came by themselves went with.
- `regression`: what a clock and a temperature that nobody set went with.

Public: `ALL`, `CLOCK_READINGS`, `OBSERVED_CLOCK`, `beside_position`, `observed`.
"""
