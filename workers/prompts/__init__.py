"""Which texts a run answers.

- `availability`: whether a source has the prompts that a run asks for, told before anything
  starts.
- `corpus`: a dataset that prompts are taken from, and how its rows become text.
- `hub`: how its datasets are read, with its library quiet and in its place.
- `prompt_row`: one row of a data set as the model reads it, with the answers that it is held
  to.
- `prompts_file`: the chosen texts of a run, in a file that is named by its SHA-256.
- `rows`: the rows of a file that prompts are read from, each with its place for a message.
- `selection`: which texts a run answers, from a named source, in an order that a seed decides.
- `source`: where a run's prompts are read from, named before anything is read.
- `staging`: a corpus' prompts on disk, for machines without internet.
- `synthetic`: texts of a fixed number of words, for comparing engines at equal shapes.
- `task_files`: the tasks that `conf/dataset/` holds as data, by their names.
- `task_rows`: how a row of a data set becomes a prompt and the answers that it is held to.
- `tokenized`: the run's prompts as token ids, cut to length and counted.

Public: `CORPORA`, `PromptOrigin`, `PromptRow`, `PromptSource`, `SYNTHETIC`, `StagedCopy`,
`TokenizedPrompts`, `cache_folder`, `find_corpus`, `identify`, `one_line`, `prompts_fault`,
`prompts_known`, `rows_sha256`, `selection`, `source`, `stage`, `staging_command`,
`tokenize_prompts`.
"""
