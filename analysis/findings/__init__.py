"""What the data say: the best points, what sets energy, where a joule goes.

- `batches`: what each measured batch of a run was asked, answered and took, or several
  together.
- `best`: which choice takes the least energy where it may be so much slower than the fastest.
- `complexity`: what was asked and answered in each batch, and the energy that it took.
- `complexity_fit`: what lengths and entropy of prompts explain of the energy of batches.
- `complexity_models`: what a token of a prompt, a token of an answer and entropy each cost.
- `delay`: energy times time, of a token and of a pass, for each grid point.
- `estimate`: a mean over repeats with its interval, and what two of them say of one another.
- `format_causes`: why fewer bits of weight save what they do, or nothing.
- `format_crossovers`: at how many rows side by side a format of weights stops saving.
- `format_curve`: joules and tokens a second of each format of weights, against rows.
- `format_points`: grid points with what tells why a format of weights saves, or does not.
- `format_savings`: each quantized point against its unquantized twin: what is saved, and why.
- `format_twins`: each quantized point beside the unquantized one that did the same otherwise.
- `goodput`: what a joule gives where only answers in time count.
- `input_features`: what prompts are like, against the energy that their answers took.
- `joule_costs`: what a byte and an operation cost, beside what others published.
- `joule_fit`: what a byte and an operation cost, from all runs of the same boards and engine.
- `joule_work`: what each phase of a run took, moved and computed: what a ledger is made from.
- `joules`: where a joule goes: the ledger of each run and phase.
- `pareto`: which grid points of the same work nothing beats in both time and energy.
- `point_columns`: the columns that say in every finding which work and which choice it is of.
- `prompt_texts`: what a run was asked, read again from its prompts file, and how complex that
  is.
- `request_shares`: what each request of a run is charged of the energy, by a stated
  convention.
- `scaling`: one model and work on several numbers of GPUs, and how far each is off a law.
- `scaling_tables`: the points of each family of GPUs, and the laws that they follow.
- `served`: one run's requests, what they waited for and what they are charged.
- `serving`: the tables of requests, run by run and one by one.
- `settled`: numbers of fits as every machine has them.
- `works`: grid points that did the same work, and so may be held against each other.

Public: `BEST`, `Best`, `COMPLEXITY`, `COMPLEXITY_MODELS`, `ENERGY_DELAY`, `FASTEST`,
`FORMAT_CROSSOVERS`, `FORMAT_CURVE`, `FORMAT_SAVINGS`, `GOODPUT`, `INPUT_FEATURES`, `JOULES`,
`JOULE_COSTS`, `JOULE_WORK`, `PARETO`, `REQUESTS`, `Ranged`, `SCALING`, `SCALING_LAWS`, `SERVING`,
`SEVERAL`, `SLOWER`, `Scatters`, `Value`, `Work`, `WorkPoint`, `all_points`, `below`, `best_of`,
`choice_columns`, `energy_per_token_j`, `energy_per_token_width_j`, `interval_columns`, `lacking`,
`no_width`, `ratio`, `real`, `seconds_per_token`, `settled`.
"""
