"""What sacct prints, made up: rows of one job as a center's books have it."""

from collections.abc import Mapping

HEADER = (
    *("JobID", "JobIDRaw", "JobName", "Cluster", "User", "State", "Submit", "Start", "End"),
    *("ElapsedRaw", "NNodes", "NodeList", "AllocTRES", "ConsumedEnergyRaw", "ConsumedEnergy"),
)
SUBMIT_S = 1_700_000_000
"""When the job was submitted, in seconds since 1970."""
JOB: Mapping[str, str] = {
    **{"JobID": "12", "JobIDRaw": "12", "JobName": "grid", "Cluster": "hall", "User": "somebody"},
    **{"State": "COMPLETED", "Submit": f"{SUBMIT_S}", "Start": f"{SUBMIT_S + 10}"},
    **{"End": f"{SUBMIT_S + 130}", "ElapsedRaw": "120", "NNodes": "1", "NodeList": "node0"},
    **{"AllocTRES": "billing=8,cpu=8,gres/gpu:a100=2,gres/gpu=2,mem=8G,node=1"},
}


def row(**changes: str) -> dict[str, str]:
    """A row of the job, changed."""
    return {**JOB, **changes}


def books(*rows: Mapping[str, str], header: tuple[str, ...] = HEADER) -> str:
    """An answer of sacct."""
    lines = ["|".join(header)]
    lines += ["|".join(one.get(name, "") for name in header) for one in rows]
    return "\n".join([*lines, ""])
