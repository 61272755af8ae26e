"""Simulated boards that have a driver: see `sitecustomize`."""
