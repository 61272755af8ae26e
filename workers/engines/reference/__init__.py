"""The published LLaMA v1 loop, cost included.

- `engine`: the decoding loop of LLaMA v1 as published, costs included.
"""
