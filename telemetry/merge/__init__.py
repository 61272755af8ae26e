"""Shards of an ended attempt become sorted tables and a manifest."""
