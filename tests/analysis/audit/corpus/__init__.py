"""Corpus: falsified records as code, each merged and sealed again as a forger would.

Each is one of a recorded run of LLaMA 7B on four H200, by what it claims: `ALL` has the check that
knows better, or None where no check can and a signature alone rules it out. Falsifications of
several runs, nodes, chains, signatures, meters and books stand in the tests of their own checks.
"""
