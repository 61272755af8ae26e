"""What clocks, power and temperature do to speed and joules.

- `cap_changes`: what a cap or a clock lock changes against the same work without one.
- `clock_readings`: how fast tokens came, and at what power, whenever a clock was read
  meanwhile.
- `observed`: what the clocks and temperatures that came by themselves went with.
- `regression`: what a clock and a temperature that nobody set went with.

Public: `ALL`, `CAP_CHANGES`, `CLOCK_READINGS`, `OBSERVED_CLOCK`, `beside_position`, `observed`.
"""
