"""Triton's kernels of the fast engine."""
