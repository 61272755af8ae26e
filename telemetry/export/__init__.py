"""A results folder without names, for who may not see them.

- `__main__`: a results folder without names, sealed anew, for who may not see them.
- `exporting`: a results folder without names, all of it or nothing.
- `identities`: who and where a record names, found by what its files are.
- `leaks`: every name that still stands in an export, and where.
- `parquet_copy`: a table without names, in its columns and its metadata.
- `pseudonyms`: a name in place of each name, by a key that is in no export.
- `replacing`: pseudonyms in place of every name, in texts, JSON and names of files.
- `sealed_copy`: one sealed run without names, merged and sealed anew.
"""
