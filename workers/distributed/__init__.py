"""Ranks: who they are, how they meet, fail and leave together."""
