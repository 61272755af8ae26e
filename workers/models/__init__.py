"""Architectures, and how their weights get onto a device."""
