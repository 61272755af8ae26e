"""Latency, rates and the share of the bound."""
