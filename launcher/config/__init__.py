"""Command line in, composed points out; Hydra lives here alone.

- `choices`: what keys with few values may have, and values that are one of them in other
  letters.
- `command_line`: command line in, composed points out, one clear line for what is not allowed.
- `comments`: what a file of `conf/` says of itself and of its keys.
- `composition`: many grid points from few of Hydra's, and Hydra's own on a sample as the
  truth.
- `errors`: what a user got wrong, in one line.
- `help`: what `python -m launcher --help` says: every key by group, from the comments in
  `conf/`.
- `hydra_plugins`: Hydra expands the grid and hands all points over at once.
- `kept_files`: the configuration's files, parsed once a process however often Hydra composes
  them.
- `keys`: every key that `conf/` has, and what to say of one that it has not.
- `listing`: what `conf/` offers, from the names and the lines of its files alone.
- `overrides`: the words of the command line one by one and together, before Hydra sees them.
- `reference`: every key of `conf/` in the words that stand beside it there.

Public: `AUTO`, `BadInputError`, `HUB`, `MAX_POINTS`, `Point`, `SAME_FOR_ALL`, `asked_of`,
`group_options`, `groups`, `help_text`, `is_own_model`, `project_folder`, `read_points`, `sections`,
`settable`, `told_of`, `whole_key`.
"""
