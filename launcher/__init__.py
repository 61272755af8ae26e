"""From a grid to jobs: Hydra points become RunSpecs, RunSpecs become submitit jobs.

- `__main__`: `python -m launcher -m model=7b,13b,65b gpus=1,8,32`: check the grid, run it,
  seal it.
- `accounting`: what the center's books say of the jobs of a results folder, kept beside the
  runs.
- `campaign/`: a checked grid is written down, run, closed, and can be looked at.
- `cancel`: `python -m launcher.cancel RESULTS`: stop what is queued or running, from any
  shell.
- `completion`: `joulegrid completion bash`: what a shell offers behind the word joulegrid.
- `config/`: command line in, composed points out; Hydra lives here alone.
- `console`: the one word `joulegrid`, which finds the module of each verb and runs it.
- `doctor/`: what a machine can measure, asked before any job.
- `forecast/`: what points are expected to take in time and energy, before they are queued.
- `jobs/`: attempts become jobs; what a job runs on every rank.
- `model_staging`: a hub's model is fetched once, where there is internet, for nodes without.
- `plan/`: points become specs, each with a verdict, before anything starts.
- `repeats/`: how many repeats a point gets, what they can show, and whether the room drifted
  meanwhile.
- `reproduce`: `python -m launcher.reproduce PATH`: a sealed campaign is made again here.
- `rounds`: a checked grid is run; with repeats=auto round after round, until no point goes on.
- `slurm/`: what Slurm knows and how it is asked.
- `stage`: `python -m launcher.stage gsm8k alpaca hub:ORG/NAME`, once, where there is internet.
- `status`: `python -m launcher.status RESULTS`: where a campaign stands, from any shell, any
  day.
"""
