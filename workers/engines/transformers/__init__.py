"""The library that most people measure with, on the same weights.

- `chosen_tokens`: what a batch of the library's models has answered so far, step by step.
- `counting`: what an architecture of the library takes, read off its own model without memory.
- `encoder_decoder`: the library's model of two stacks, told apart: encode, prefill, decode.
- `engine`: the library's own layers and growing cache, one eager step a token.
- `library_model`: a shape as the library transformers builds it, filled on its device.
- `static`: the library's layers with its cache of full size, and its decoding step compiled.

Public: `library_config`.
"""
