"""Attempts become jobs; what a job runs on every rank."""
