"""Joules with their uncertainty."""
