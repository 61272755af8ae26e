"""Which texts a run answers.

- `availability`: whether a source has the prompts that a run asks for, told before anything
  starts.
- `corpus`: a dataset that prompts are taken from, and how its rows become text.
- `hub`: how its datasets are read, with its library quiet and in its place.
- `prompts_file`: the chosen texts of a run, in a file that is named by its SHA-256.
- `rows`: the rows of a file that prompts are read from, each with its place for a message.
- `selection`: which texts a run answers, from a named source, in an order that a seed decides.
- `staging`: a corpus' prompts on disk, for machines without internet.
- `synthetic`: texts of a fixed number of words, for comparing engines at equal shapes.
- `tokenized`: the run's prompts as token ids, cut to length and counted.

Public: `CORPORA`, `PromptOrigin`, `PromptSource`, `SYNTHETIC`, `StagedCopy`, `TokenizedPrompts`,
`cache_folder`, `find_corpus`, `identify`, `prompts_fault`, `prompts_known`, `rows_sha256`,
`selection`, `stage`, `staging_command`, `tokenize_prompts`.
"""
