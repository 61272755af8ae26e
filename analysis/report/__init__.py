"""One page offline.

- `document`: the tables of a report as a program reads them, each column with what it means.
- `exhibited`: one figure or table of the paper, printed, written and drawn.
- `formatting`: numbers and their absence as people read them.
- `latex`: each table as a file that a paper takes in.
- `origin`: where a run comes from, as far as it is on record.
- `page`: one page with every result, that opens offline and says what it does not know.
- `printed`: what a terminal says of a report that was written.
- `sentences`: what the page says in words: its key numbers, what is missing, what the paper
  says.
- `staging`: the files of a report, written aside and put in their places once all are there.
- `verdict`: what the last audit said, and whether it was of the files that lie here now.
- `written_by`: which code and which drawing library made a report, so that it can be made
  again.

Public: `AuditVerdict`, `KEY`, `breakable`, `escaped`, `latex`, `measured_text`, `named_exhibit`,
`number_text`, `render`, `report`, `report_exhibit`, `write_report`, `written_by`.
"""
