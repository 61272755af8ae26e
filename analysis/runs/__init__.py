"""Sealed runs as arrays."""
