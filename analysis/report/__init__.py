"""One page offline.

- `formatting`: numbers and their absence as people read them.
- `origin`: where a run comes from, as far as it is on record.
- `page`: one page with every result, that opens offline and says what it does not know.
- `sentences`: what the page says in words: its key numbers, what is missing, what the paper
  says.

Public: `cell_text`, `write_report`.
"""
