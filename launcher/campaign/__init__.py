"""A checked grid is written down, run, closed, and can be looked at.

- `attempt`: a run's folder and one numbered try at it, made whole or not at all.
- `differences`: what is not as it was where a campaign was made, told before it is made again.
- `display`: the plan as a table, and a campaign's progress while one waits.
- `document`: a plan, and what came of a campaign, as a program reads them.
- `finalize`: an attempt that ended is merged and, when it completed, sealed.
- `headline`: what a campaign on this machine measured, a line a point, and where its report
  lies.
- `plan_record`: what a campaign was to run, written before any of it, and what never began.
- `point_status`: where each point of a results folder stands, from its record and Slurm's
  queue.
- `promise`: what a launch would refuse before it writes anything, so that a plan refuses it
  too.
- `provenance`: who starts what from where with which code, written before a job is submitted.
- `run`: a checked grid is written down, submitted, waited for, merged and sealed.
- `time_left`: how long a campaign's open points will still take, as far as anything tells.

Public: `CampaignOutcome`, `Durations`, `GOING`, `PointStatus`, `UNREADABLE`, `again_document`,
`campaign_points`, `campaigns`, `close_stranded`, `outcome_document`, `plan_document`,
`plan_summary`, `plan_table`, `point_statuses`, `print_again`, `report_campaign`, `require_launch`,
`run_campaign`, `took_s`, `uncommitted`, `whole_time`.
"""
