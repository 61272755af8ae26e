"""What a login node must know of a model, without torch.

- `arithmetic`: what its answers cost at least, as its model's own shape says.
- `counted_models`: an architecture without a row here becomes a shape by what the library
  counted.
- `engine_facts`: what a login node must know of an engine, without torch; one row an engine.
- `families`: the architectures that there are, each registered by one row.
- `library_ways`: which of the library's caches, compiled steps and plans to share a family
  has.
- `memory`: what a run takes of a GPU's memory and how much arithmetic it is, known before it
  is sent.
- `own_configs`: a model that is known by its config.json alone, as the hub holds them.
- `weight_formats`: how quantized weights lie in memory, told without torch.
- `workspace`: what engines allocate beside weights and cache is reckoned from.
- `workspace_counted`: about what a model holds at its fullest moment that the library alone
  knows.
- `workspace_fast`: what engine `fast` holds in its pass over all prompts, its steps and its
  load.
- `workspace_library`: what engine `transformers` holds for the families whose layers it alone
  has.
- `workspace_reference`: what engine `reference` holds at the fullest moment of the published
  loop.
- `workspace_t5`: what an encoder-decoder of the library holds at its fullest moment.
- `workspace_transformers`: what engine `transformers` holds at its fullest moment.
- `workspace_vllm`: what engine `vllm` holds beside its weights at its fullest moment.

Public: `BLOCK`, `BLOCK_WORDS`, `DEFAULT_ENGINE`, `ENGINE_FACTS`, `FP8`, `INT4_BITS`, `INT8_BITS`,
`MemoryEstimate`, `OwnModel`, `QUANTIZATIONS`, `STEP_TOKENS`, `WEIGHT_ONLY`, `arithmetic_of`,
`block_inputs`, `counted_model`, `engine_facts`, `engine_names`, `estimate`, `family_of`,
`find_shape`, `flops`, `group_size`, `has_row`, `known_models`, `own_model`, `paged_bytes`,
`parameters_of`, `planned_pages`, `row_words`, `scale_pairs`, `shape_named`, `shape_of`.
"""
