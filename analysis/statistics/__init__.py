"""Repeats and comparisons."""
