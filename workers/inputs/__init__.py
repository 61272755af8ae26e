"""Files that a user hands us: what they are, if not what they should be.

- `kinds`: what a file is that a user hands us, by its first bytes, and what to do about it.
- `strict_json`: what a user's JSON says, and a refusal where it says two things or none.

Public: `BOM`, `CutShortError`, `FileKind`, `MalformedError`, `file_fault`, `one_line`,
`parse_json`, `read_object`.
"""
