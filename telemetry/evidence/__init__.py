"""What others vouch for: time stamp authorities, sigstore, the center's books, a repository.

- `accounting`: a root lodged in Slurm's books, as the comment of the jobs that made the runs.
- `authority`: asks a time stamp authority, which may be slow, lie, or lead elsewhere.
- `bounded`: who is asked over a network gets so long and no longer, whatever he does
  meanwhile.
- `bundle`: who signed by sigstore, whose certificate lasts minutes and stands in a public log.
- `git_notes`: a root lodged as a note on a commit, where all who fetch it have it.
- `lodged`: where a root was put, when, and what came of it, beside the root.
- `lodging_place`: where a root is put that the results folder's owner cannot edit afterwards.
- `program`: how git and Slurm's clients are asked: by a list of words, within a bound of time.
- `time_stamp`: by an authority's word a file was as it is at a time, by RFC 3161.

Public: `BadStampError`, `Keeper`, `Lodging`, `LodgingPlace`, `NoAnswerError`, `NoBundleError`,
`NoStampError`, `REF`, `SigstoreSigner`, `Stamp`, `StampQuery`, `accounting`, `ask`,
`authority_url`, `check_bundle`, `check_stamp`, `git_notes`, `read_answer`, `read_lodgings`,
`read_roots`, `read_stamp`, `require_client`, `require_root`, `require_token`, `sign_bundle`,
`told_of_bundle`, `write_lodgings`.
"""
