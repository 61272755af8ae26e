"""What a login node must know of a model, without torch.

- `memory`: what a run takes of a GPU's memory and how much arithmetic it is, known before it is
  sent.
- `parameters`: names, sizes and the dimension ranks share.
- `shapes`: the sizes of a LLaMA model.
- `weight_formats`: how quantized weights lie in memory, told without torch.
- `workspace`: what an engine allocates beside weights and cache, at its fullest moment.

Public: `ITEM_BYTES`, `MemoryEstimate`, `ModelShape`, `QUANTIZATIONS`, `RANDOM`, `ROPE_THETA`,
`VOCAB_SIZE`, `estimate`, `find_shape`, `flops`, `group_size`, `parallel_fault`,
`parameter_sizes`, `part_size`, `quantization_fault`, `split_dim`.
"""
