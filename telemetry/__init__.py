"""The record: run identity, schemas, watching a node, and merging what was written."""
