"""Job arrays: the job arrays that a results folder knows of, and what became of their submission.

results/campaigns/<campaign>/
  campaign.json               the call: command, who, where, its points
  array-001.json              intent: the attempts of one job array, written before submission
  array-001.submitted.json    Slurm's ids and times, and the text that sbatch got
  array-001.close.sh          the batch file of the job that merges and seals when the array ended
  array-001.close.log         what that job said
  jobs/                       the jobs' logs
  jobs/<job>.setup            the line of cluster.slurm.setup that ended a job, with its exit code
  jobs/<job>.requeued.json    that Slurm started a job again whose attempt was over
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from telemetry.damage import DamagedError, damage_told
from telemetry.record.bulk_files import SharedJson, replace_text
from telemetry.record.files import create_json, read_json
from telemetry.record.paths import AttemptPaths, RunPaths, campaigns_folder


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What Slurm said when it took an array."""

    job_id: str
    """Slurm's number for the array; Slurm gives numbers out again."""
    slurm_cluster: str | None
    """Slurm's own name of the cluster; None where it does not say."""
    t_us: int
    """When it was submitted, by this machine's clock."""
    submit_time: str | None
    """When it was submitted, as Slurm says, in UTC; of this machine's zone where it names none.

    None where Slurm does not say.
    """
    closing_job_id: str | None
    """The job that merges and seals; None when there is none, with `closing_refused`."""
    closing_refused: str | None
    """Why there is none, in Slurm's words."""


@dataclass(frozen=True, kw_only=True)
class JobArray:
    """The attempts of one job array; its job name is in no other campaign."""

    results: Path
    """The results folder that it works for."""
    campaign: str
    """Name of the campaign's folder."""
    number: int
    """Which of the campaign's arrays it is, counted from 1."""
    name: str
    """The jobs' name in Slurm: the campaign's and the array's number."""
    cluster: str
    """Name in conf/cluster."""
    host: str
    """Who submits it: host, process and its start."""
    pid: int
    """Process id of the launcher on that host."""
    pid_created_us: int
    """When that process started: ids are used again."""
    t_us: int
    """When the array was made up, by that host's clock."""
    members: tuple[tuple[str, int], ...]
    """Run id and attempt number of each element, in order."""

    @property
    def folder(self) -> Path:
        """The campaign's folder."""
        return campaigns_folder(self.results) / self.campaign

    @property
    def closing_name(self) -> str:
        """The closing job's name in Slurm."""
        return f"{self.name}-close"

    @property
    def path(self) -> Path:
        """The array's intent."""
        return self.folder / f"array-{self.number:03d}.json"

    @property
    def jobs(self) -> Path:
        """Folder of the jobs' logs."""
        return self.folder / "jobs"

    def beside(self, ending: str) -> Path:
        """A file of this array beside its intent."""
        return self.path.with_suffix(f".{ending}")

    def attempts(self) -> list[AttemptPaths]:
        """The attempts, in order."""
        return [
            RunPaths(results=self.results, run_id=run_id).attempt(number)
            for run_id, number in self.members
        ]

    def element(self, job_id: str, index: int) -> str:
        """Slurm's id of one element."""
        return job_id if len(self.members) == 1 else f"{job_id}_{index}"

    def setup_failure(self, job_id: str) -> Path:
        """Where a job's batch script says which line of its setup failed."""
        return self.jobs / f"{job_id}.setup"

    def submission(self) -> Submission | None:
        """What Slurm said; None when it has not been asked, or the asking was cut off."""
        path = self.beside("submitted.json")
        try:
            with damage_told(path, "what Slurm said of an array"):
                return Submission(**read_json(path))
        except FileNotFoundError:
            return None

    def to_mapping(self) -> dict[str, Any]:
        """The intent's JSON form."""
        content = dataclasses.asdict(self)
        del content["results"], content["campaign"]
        return content

    @classmethod
    def read(cls, results: Path, path: Path) -> Self:
        """The array whose intent `path` holds."""
        with damage_told(path, "the record of an array"):
            content = read_json(path)
            members = tuple((str(run_id), int(number)) for run_id, number in content.pop("members"))
            return cls(results=results, campaign=path.parent.name, members=members, **content)


def list_arrays(
    results: Path, campaign: str | None = None, doubts: list[str] | None = None
) -> Iterator[JobArray]:
    """Every job array of a results folder, or of one campaign, oldest first.

    A damaged one is left out and told in `doubts`, where these are given.

    Raises:
        DamagedError: one is damaged, and nobody is to be told.
    """
    folder = campaigns_folder(results)
    # The name's dots keep array-001.submitted.json out.
    pattern = "array-[0-9][0-9][0-9].json"
    for path in sorted(folder.glob(f"{campaign or '*'}/{pattern}")):
        try:
            yield JobArray.read(results, path)
        except (DamagedError, OSError) as error:
            if doubts is None:
                raise
            doubts.append(str(error))


def record_submission(array: JobArray, submission: Submission, sbatch: str | None) -> None:
    """Write Slurm's answer into the attempts, and last beside the array's intent.

    A launcher killed on the way leaves no answer there: the next call asks Slurm again.
    `sbatch` is the text that sbatch got, None where it is not known.
    """
    shared = SharedJson(
        {
            "t_us": submission.t_us,
            "cluster": array.cluster,
            "executor": "slurm",
            "folder": str(array.jobs),
            "submit_host": array.host,
            "slurm_cluster": submission.slurm_cluster,
            "submit_time": submission.submit_time,
            "job_name": array.name,
            "array": array.path.name,
            "campaign": array.campaign,
            "sbatch": sbatch,
        }
    )
    for index, attempt in enumerate(array.attempts()):
        job_id = array.element(submission.job_id, index)
        # submitit's name for the log of a job's first task.
        own = {"job_id": job_id, "log": str(array.jobs / f"{job_id}_0_log.err")}
        replace_text(attempt.submitted, shared.text(own))
    create_json(array.beside("submitted.json"), dataclasses.asdict(submission))
