"""Architectures, and how their weights get onto a device.

- `base/`: what every family of models is and gives.
- `library/`: families whose layers the library transformers alone has, as planning knows them.
- `llama/`: LLaMA v1 on FairScale's layers.
- `loading`: a rank's model comes to be on its device, module by module.
- `logit_error`: how far the logits that a run computes are from those of its weights in fp32.
- `packing`: how rounded weights lie in memory, as the matrix unit wants its left operand.
- `quantization`: weights rounded to 8 or 4 bits with scales beside them.
- `random_weights`: where a rank's parameters come from, and how ranks share them.
- `skeleton`: a rank's model of any family before it has memory.

Public: `E4M3`, `Quantized`, `WeightSource`, `linear`, `load_model`, `no_logit_error`,
`open_weights`, `quantize`, `take_probe`.
"""
