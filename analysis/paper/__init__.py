"""What others published, and what becomes of it here.

- `comparison`: the table of the paper's numbers beside ours, where the conditions are the
  same.
- `published`: the numbers of arXiv 2310.03003, beside ours where the conditions are the same.

Public: `COMPARISON`, `PAPER`, `Published`, `paper_conditions`, `published`.
"""
