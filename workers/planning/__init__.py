"""What a login node must know of a model, without torch.

- `arithmetic`: what its answers cost at least, as its model's own shape says.
- `families`: the architectures that there are, each registered by one row.
- `memory`: what a run takes of a GPU's memory and how much arithmetic it is, known before it is
  sent.
- `weight_formats`: how quantized weights lie in memory, told without torch.
- `workspace`: what an engine allocates beside weights and cache, at its fullest moment.

Public: `MemoryEstimate`, `QUANTIZATIONS`, `arithmetic_of`, `estimate`, `family_of`, `find_shape`,
`flops`, `group_size`, `known_models`, `parameters_of`, `quantization_fault`.
"""
