"""The record: run identity, schemas, watching a node, and merging what was written.

- `accounting/`: what a center's own books say of the runs' jobs.
- `boards/`: what is known of GPU boards from datasheets, papers and boards that were read: one
  row a board.
- `clock`: one steady clock for all processes of a host, so that a step of the wall clock moves
  nothing.
- `command`: what all commands have in common: exit codes, one line for a fault, no traceback.
- `damage`: a file of the record that is not what it should be is named, and hides nothing
  else.
- `document`: the one JSON text that `--json` makes of what a command tells.
- `evidence/`: what others vouch for: time stamp authorities, sigstore, the center's books, a
  repository.
- `export/`: a results folder without names, for who may not see them.
- `lasting`: what a process loads stays to its end, so it loads no more than it needs.
- `listing`: rows as a table where the width has room for it, else as a paragraph each.
- `merge/`: shards of an ended attempt become sorted tables and a manifest.
- `named_paths`: how every command reads a path that somebody typed.
- `nearest`: the valid names that somebody may have meant, and the sentence that offers them.
- `next_line`: a command as one types it next, in the form in which this process was called.
- `output`: what a command tells people, at the width of their terminal, in colour only where
  one is.
- `paragraph`: prose for people, as wide as their terminal and broken between words.
- `power/`: caps and clocks of a job's GPUs: what was there, asked, enforced, and put back.
- `record/`: what a run is and where its record lies: the contract that all packages share.
- `shards/`: what one writer wrote: parts on disk that survive a kill -9.
- `sign/`: what is sealed gets a signature, and all of it a root.
- `sources/`: what every sensor gives and how it is asked.
- `terminal`: text that comes from elsewhere cannot steer it, and it need not be UTF-8.
- `waiting`: how far a command is, told while it says nothing else.
- `watcher/`: one process a node that polls a source onto disk, and the handle its owner holds.
- `zones`: the zone of written times, as somebody typed it.

Public: `CommandError`, `CommandParser`, `DamagedError`, `ExitCode`, `HostClock`, `JSON_WORD`,
`ListedColumn`, `Listing`, `NS_PER_US`, `Output`, `PROGRAM`, `Paragraph`, `US_PER_MS`, `US_PER_S`,
`VERBS`, `at`, `columns`, `command`, `complain`, `counted`, `damage_told`, `did_you_mean`, `due`,
`exit_codes`, `folded`, `lacks`, `lasting`, `line_pause_s`, `monotonic_us`, `named_path`, `nearest`,
`needs_extra`, `one_of`, `own_version`, `printable`, `printable_lines`, `settled`, `spare_pandas`,
`strict`, `takes_escapes`, `told_count`, `typed`, `waiting`, `wall_us`, `wrapped`, `zone_of`.
"""
