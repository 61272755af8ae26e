"""Sealed runs as an RO-Crate, and a crate looked at.

- `__main__`: sealed runs as an RO-Crate, which archives and other tools read; and one looked
  at.
- `accounting`: by what a center joins an attempt with its own books, and what the job's shell
  had.
- `action`: one attempt as a CreateAction: what was run, by whom, when, where, from and into
  what.
- `description`: the metadata file of a crate, made from its payload; equal records, equal
  bytes.
- `entities`: what a crate is made of, as rocrate keeps it; words of a record are values alone.
- `foreign`: a crate that anybody may have made, read within limits: metadata, a zip's members.
- `identifiers`: the `@id` of what a crate names; no word of a record is ever one.
- `machines`: the hosts of an attempt and the GPUs that they gave it, as their watchers saw
  them.
- `making`: a crate of a results folder, or of one run of it: looked through, described,
  written.
- `musts`: what Process Run Crate requires of a crate, held against its metadata file.
- `packing`: a crate as a folder or as one zip file, whole or not there; the record is only
  read.
- `payload`: which files of a results folder a crate holds, each with its size and SHA-256.
- `profile`: which run crate on which RO-Crate; a pair that its authors declare compatible, no
  other.
- `quantities`: a sealed run's numbers, from the tables that analysis makes, each with unit and
  ±.
- `software`: the program that ran, the packages beside it, and who started it:
  provenance.json.
- `verification`: whether a crate's files are those that its metadata names, and say what it
  says.
"""
