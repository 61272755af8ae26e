"""A checked grid is written down, run, closed, and can be looked at.

- `attempt`: a run's folder and one numbered try at it, made whole or not at all.
- `display`: the plan as a table, and a campaign's progress while one waits.
- `finalize`: an attempt that ended is merged and, when it completed, sealed.
- `headline`: what a campaign on this machine measured, a line a point, and where its report
  lies.
- `point_status`: where each point of a results folder stands, from its record and Slurm's
  queue.
- `promise`: what a launch would refuse before it writes anything, so that a plan refuses it
  too.
- `provenance`: who starts what from where with which code, written before a job is submitted.
- `run`: a checked grid is written down, submitted, waited for, merged and sealed.

Public: `CampaignOutcome`, `GOING`, `PointStatus`, `UNREADABLE`, `campaign_points`, `campaigns`,
`close_stranded`, `plan_summary`, `plan_table`, `point_statuses`, `report_campaign`,
`require_launch`, `run_campaign`, `uncommitted`.
"""
