"""Every claim again, from files.

- `__main__`: every claim a sealed run makes, checked from its files again.
- `check`: what one check of the audit saw in one run, and the case it looked at.
- `energy_checks`: do they sum up, and stay within what their sensors see?
- `model_checks`: do a model's bytes and operations come out again, and does no run beat them?
- `power_checks`: can a board of its kind have drawn what it is said to have?
- `record_checks`: is it whole, unchanged, ordered and complete?
- `registry`: which checks the audit makes of every run.
- `result_checks`: do tokens, words, labels and identities agree with each other?
- `run`: every check over every sealed run, from files alone.
- `witness_checks`: three readings of each GPU's energy, held against each other where they can
  be.
- `work_checks`: do steps, windows, warm-ups and memory agree?

Public: `seals_digest`.
"""
