"""What is sealed gets a signature, and all of it a root.

- `__main__`: `python -m telemetry.sign RESULTS --key KEY`: who answers for what is sealed, and
  its root.
"""
