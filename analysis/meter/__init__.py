"""What an outside meter says of the runs.

- `__main__`: an outside meter's log beside the runs, as a witness that no run can have
  written.
- `clock_fit`: how far a meter's clock is ahead of the record's, told by what both saw of
  power.
- `imported`: a log that was read and looked at, kept beside the runs, with what it says of
  each.
- `kept`: an outside meter's log beside the runs, normalised, with the digest of what it was.
- `log`: the readings of an outside meter, as its CSV has them, in SI units and UTC.
- `meter_curve`: a meter's energy over time, calibrated, on the record's clock.
- `own_noise`: whether a meter's readings are its own, or the record's moved and scaled.
- `statement`: what is stated of an outside meter: units, clock, what it covers, calibration.
- `witness`: what an outside meter says of one run, beside what the record says of the same.

Public: `MeterWitness`, `MeteredPart`, `WINDOW`, `list_meters`, `meters_folder`, `witnesses_of`.
"""
