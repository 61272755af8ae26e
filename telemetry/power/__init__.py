"""Caps and clocks of a job's GPUs: what was there, asked, enforced, and put back.

Public: none yet.
"""
