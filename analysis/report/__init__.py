"""One page offline.

- `formatting`: numbers and their absence as people read them.
- `page`: one page with every result, that opens offline and says what it does not know.

Public: `cell_text`, `write_report`.
"""
