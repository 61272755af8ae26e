"""What answers are worth: scored by what the data set holds for right, from the sealed run alone.

- `answers`: scores of words and numbers, as lm-eval and the data sets' own programs define
  them.
- `overlap`: how much of a text's words another has, by the libraries that papers report.
- `scoring`: what each answer of a run is worth by the metrics of its task.
- `table`: what a run's answers are worth, beside what they took.

Public: `Answered`, `NOT_MEASURED`, `QUALITY`, `answered`, `by_prompt`.
"""
