"""The library that most people measure with, on the same weights.

- `engine`: the library's own layers and growing cache, one eager step a token.
- `library_model`: a shape as the library transformers builds it, filled on its device.

Public: `library_config`.
"""
