"""The library that centers serve with, on the same weights.

- `engine`: the library that centers serve with, driven step by step on every rank.
- `library`: vLLM as this project sets it up and asks it; the one module that names its
  classes.
- `weights`: this project's own, handed to the library's model by the names that the hub has.
"""
