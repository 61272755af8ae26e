"""What an abstract says, where nothing else of the paper is known.

- `answers`: each statement's verdict on each board and engine that has runs of its work.
- `blocks`: measured runs of a version that differ in one thing alone.
- `correlation`: whether the energy of an answer goes with a feature of its prompt.
- `coverage`: which of a version's models, tasks, lengths and clocks have measured runs here.
- `judge`: from blocks of runs to a verdict on a statement, with what is behind it in a
  sentence.
- `kept_quality`: whether answers to the same prompts are as good with a setting as without it.
- `saving`: whether a setting takes less energy and keeps what a statement says that it keeps.
- `statement`: one thing that an abstract says, as data, and the test that decides it in words.
- `table`: one row a statement of an abstract, and board and engine that it was held against.
- `version`: what one version of a paper names, of which no more than its abstract is known.

Public: `ABSTRACT_CLAIMS`, `ABSTRACT_COVERAGE`, `StatementEvidence`, `abstract_lines`,
`statement_answers`.
"""
