"""A stated power model in place of GPUs.

- `source`: a stated power model of named GPUs, driven by the ranks' real CPU work.
"""
