"""Triton's kernels of the fast engine.

- `arguments`: what the kernels are told, grouped by what it belongs to.
- `attention`: one new token's attention over each row's own past.
- `cached`: how a number is rounded into the format that a cache keeps it in.
- `epilogue`: what a decode step does with a product before it leaves the registers.
- `fp8`: what a product of e4m3 numbers is multiplied by, rounded to them one row at a time.
- `grouped_attention`: one new token's attention where several heads share keys and values.
- `linear`: a decode step's matrix products, with what follows each one folded in.
- `reduce`: the sum over a node's GPUs through their peers' memory, added to the residual.
- `rows`: what stands between matrix products, one program a row of the residual stream.
- `sampling`: the next token of each row by nucleus sampling, without sorting the vocabulary.
- `unpacking`: a quantized matrix made 16 bits wide in memory, for products that cuBLAS does.
- `widening`: `linear` for weights of 8 and 4 bits, widened in the registers they multiply from.

Public: `BatchState`, `BufferLayout`, `Cache`, `Operand`, `Peers`, `Problem`, `Residual`,
`SharedHeads`, `Shares`, `Span`, `Tile`, `attention`, `fp8`, `grouped_attention`, `linear`,
`reduce`, `rows`, `sampling`, `unpacking`, `widening`.
"""
