"""Text to ids and back.

- `tokenizer`: text to token ids and back, by a SentencePiece model that its digest names.
- `train`: docs and comments.

Public: `Tokenizer`, `load`, `tokenizer`.
"""
