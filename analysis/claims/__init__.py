"""What the paper claims, and whether measurements bear it out.

- `answers`: each claim's verdict by the paper's own numbers, in its conditions, and elsewhere.
- `claim`: one thing that the paper says, as data: where, in what conditions, how it is tested.
- `decide`: from a claim's parts to a verdict, with the test behind it in one sentence.
- `estimate`: a ratio of two samples, or of one to a number, and what its tests say of a bound.
- `metrics`: what a claim may be about: a column of the table of runs, or made of several.
- `own`: what the paper's own numbers say of a claim, by equations between them.
- `parts`: what a claim is tested by: each pair of samples, or sample, that can say something.
- `sample`: the repeats of one grid point, or one number of the paper, with how sure it is.
- `summary`: how many claims came out how, in a sentence a set of numbers.
- `table`: one row a claim of the paper and set of numbers that it was held against.

Public: `CLAIMS`, `ClaimVerdict`, `Decision`, `Estimate`, `Sample`, `Scope`, `answers_of`,
`claim_lines`, `family_of`, `ratio_estimate`, `rows_of_runs`, `samples_of_runs`.
"""
