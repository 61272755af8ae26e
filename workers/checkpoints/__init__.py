"""Published weights on disk: which files, whose, whole?

- `digests`: the SHA-256 of every file of a checkpoint, kept beside the results.
- `files`: which files of a folder are a checkpoint, and of which model.
- `pth`: the plain tensors of a file that `torch.save` wrote, mapped into memory.
- `reader`: a released model's weights, of which each rank reads its own slices alone.
- `slices`: no two parts of a checkpoint hold the same numbers, as no two of a trained model
  do.
- `stored_tensor`: a tensor as a checkpoint's file stores it.
- `tensors`: the tensors of a checkpoint's files, by the released names, none of them read yet.

Public: `Checkpoint`, `CheckpointFiles`, `CheckpointRecord`, `Format`, `RANDOM`, `check_model`,
`check_tensors`, `find_files`, `hash_files`, `open_tensors`, `verify`.
"""
