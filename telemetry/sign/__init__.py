"""What is sealed gets a signature, and all of it a root.

- `__main__`: `python -m telemetry.sign RESULTS --key KEY`: who answers for what is sealed, and
  its root.
- `lodging`: a root is put where the folder's owner cannot edit it, and what came of it is
  told.
- `order`: what a call of `sign` is to do, beside taking the root.
- `signing`: who answers for each seal, and who did before.
- `stamping`: an authority's answer over the root, and over seals, asked from here or
  elsewhere.
"""
