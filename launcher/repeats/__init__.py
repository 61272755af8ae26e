"""How many repeats a point gets, what they can show, and whether the room drifted meanwhile.

- `drift`: whether J/token went one way over the rounds of a campaign, in all points together.
- `look`: where all points of a grid stand after a round.
- `measured`: what one sealed repeat says: J/token, and what it took of a budget.
- `record`: what was decided of repeats, beside the plan of the last round, and how it is said.
- `rounds`: the repeats of a grid that come next, by what those before them measured.
- `series`: the repeats of one point, and where they stand.
- `smallest`: the least difference that the planned repeats can show, told before the run.
- `stopping`: when a point has been repeated enough, by a rule that its own looking does not
  spoil.

Public: `RepeatStanding`, `Rounds`, `RoundsLook`, `is_open`, `keep`, `kept`, `last_rounds`,
`living_launcher`, `said`, `smallest_notes`.
"""
