"""What a paper appends of its measurements, from the record alone.

- `__main__`: what a paper appends of its measurements, filled from the record alone.
- `artifact`: the artifact description and evaluation that SC asks for, under its headings.
- `badges`: ACM's Artifact Review and Badging, version 1.1, as far as a record can tell.
- `boundary`: what was measured where, how finely and for how long, against three sets of
  rules.
- `campaign_facts`: what the sealed runs of a results folder say of machine, program and work.
- `document`: what an appendix says, in blocks that Markdown and LaTeX both set.
- `fact`: what the record says of one thing, over all runs; what it does not say has a reason.
- `making`: the appendices of a results folder, each as Markdown and as LaTeX.
- `markdown`: an appendix as CommonMark with tables; no word of a record is markup.
- `system`: a system description with the fields of MLPerf Inference's, by the record.
- `tex`: an appendix as LaTeX that a paper takes in; no word of a record is a command.
"""
