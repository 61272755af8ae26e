"""The same weights near the memory bound.

- `all_reduce`: the sum over the ranks that ends each half of a layer, added to the residual
  stream.
- `attend_windows`: prefill's attention where a token looks back at its window alone.
- `cached_numbers`: the formats that keys and values are kept in, and how they are rounded to
  them.
- `decode_steps`: a batch's state on its device and the step that moves it on.
- `engine`: the same FairScale-sharded weights, close to what memory allows.
- `fused_decoder`: a step's logits by one kernel for each matrix, with all else folded into
  them.
- `fused_weights`: what the `fast` engine makes of each part of a model while it loads.
- `kernels/`: Triton's kernels of the fast engine.
- `model`: a rank's fused weights with its caches; prefill of ragged prompts in one pass.
- `nucleus`: draw from all tokens, draw again until one is in the nucleus.
- `ops_quantized`: quantized weights widened on the way, or once for cuBLAS.
- `ops_torch`: for CPUs, for fp32, and to hold the kernels to.
- `ops_triton`: 16 bits on GPUs.
- `tiling`: how a decode step's product is cut into programs, by rules measured on an H200.
"""
