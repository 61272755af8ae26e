"""One page offline.

- `assembled`: the page's style and script from their parts, one noun each.
- `chosen_rows`: of a table with thousands of rows a run, those that the page carries.
- `document`: the tables of a report as a program reads them, each column with what it means.
- `drawn_figures`: every figure of a report, the paper's own last and by their numbers.
- `exhibited`: one figure or table of the paper, printed, written and drawn.
- `formatting`: numbers and their absence as people read them.
- `latex`: each table as a file that a paper takes in.
- `library`: what draws on the page in a browser, carried by the page itself.
- `links`: a run's name leads to the run's page, wherever it stands.
- `origin`: where a run comes from, as far as it is on record.
- `packed`: what a page carries but does not show at once, small, and inert until it is asked
  for.
- `page`: one page with every result, that opens offline and says what it does not know.
- `paper_set`: what a report writes beside its page for who writes a paper.
- `plots`: a figure on the page: its picture, and the plot that a script draws over it.
- `printed`: what a terminal says of a report that was written.
- `run_pages`: what the page says of each single run, as its script lays it out.
- `sections`: where each table stands on the page, and what the table of contents leads to.
- `sentences`: what the page says in words: its key numbers, what is missing, what the paper
  says.
- `staging`: the files of a report, written aside and put in their places once all are there.
- `verdict`: what the last audit said, and whether it was of the files that lie here now.
- `written_by`: which code and which drawing libraries made a report, so that it can be made
  again.

Public: `AuditVerdict`, `KEY`, `PDFS`, `README`, `breakable`, `drawn_figures`, `escaped`, `latex`,
`measured_text`, `named_exhibit`, `names_of_figure`, `number_text`, `paper_files`, `render`,
`report`, `report_exhibit`, `write_report`, `written_by`.
"""
