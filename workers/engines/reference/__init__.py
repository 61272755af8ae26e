"""The published LLaMA v1 loop, cost included.

- `engine`: engine `reference`: the decoding loop of LLaMA v1 as published, costs included.
"""
