"""Artifact: the artifact description and evaluation that SC asks for, under its headings.

Headings as in published appendices of SC23 and SC24 (artifact description is mandatory there,
evaluation is for badges).
"""

import shlex
from collections.abc import Iterator
from typing import Final

from analysis.appendix.campaign_facts import CampaignFacts
from analysis.appendix.document import Appendix, Block, Commands, Heading, Passage, Tabular, pairs
from analysis.appendix.fact import NOT_RECORDED, Fact
from telemetry.next_line import typed

_NOT_OF_RECORD: Final = f"{NOT_RECORDED}: a record holds measurements, not what a paper claims"
_NO_ARCHIVE: Final = f"{NOT_RECORDED}: no record knows where it is archived"
_NOT_TIMED: Final = f"{NOT_RECORDED}: nothing timed it"
# Those that decide a number; the others stand in provenance.json, which the artifact holds.
_PACKAGES: Final = ("fairscale", "joulegrid", "numpy", "nvidia-ml-py", "torch", "triton")


def artifact(facts: CampaignFacts) -> Appendix:
    """The appendix."""
    return Appendix(
        name="artifact",
        title="Artifact Description and Artifact Evaluation",
        warnings=facts.warnings(),
        blocks=tuple(_blocks(facts)),
    )


def reproduce_lines(facts: CampaignFacts) -> tuple[str, ...]:
    """What is typed to run the campaign again: what it would do, then that."""
    word = f"reproduce={facts.name}"
    return typed("launcher", word, "plan=true"), typed("launcher", word)


def analysis_lines(facts: CampaignFacts) -> tuple[str, ...]:
    """What is typed to check the record, to make its tables, and to compare a new one with it."""
    return (
        typed("analysis.audit", facts.name),
        typed("analysis", facts.name),
        typed("analysis.compare", facts.name, f"{facts.name}-reproduced"),
    )


def _blocks(facts: CampaignFacts) -> Iterator[Block]:
    yield Heading(text="Artifact Description (AD)", level=1)
    yield from _overview(facts)
    yield Heading(text="Artifact Identification: A1", level=2)
    yield Passage(label="Relation To Contributions.", text=_NOT_OF_RECORD)
    yield Passage(
        label="Expected Results.",
        text="Energy per generated token and power of each grid point, by the tables of the "
        "artifact; another machine of this kind is to come out within the margin of the "
        "comparison.",
    )
    yield _results(facts)
    yield from _time(facts)
    yield from _setup(facts)
    yield from _execution(facts)
    yield from _outputs(facts)
    yield Heading(text="Artifact Identification: A2", level=2)
    yield Passage(label="Relation To Contributions.", text=_NOT_OF_RECORD)
    yield Passage(
        label="Artifact Setup, Execution and Analysis.",
        text="A2 made A1 and makes it again: as above.",
    )
    yield Heading(text="Artifact Evaluation (AE)", level=1)
    yield Heading(text="Artifact Setup", level=2)
    yield Passage(text=f"Unpack {facts.name} and install the program as above.")
    yield Heading(text="Artifact Execution", level=2)
    yield Commands(lines=reproduce_lines(facts))
    yield Heading(text="Artifact Analysis", level=2)
    yield Commands(lines=analysis_lines(facts))
    yield Passage(
        text="The audit ends with 0 where no check failed; the comparison gives each grid point a "
        "verdict with its interval, and with --key one on the whole that is signed."
    )


def _overview(facts: CampaignFacts) -> Iterator[Block]:
    runs = len(facts.runs)
    yield Heading(text="Overview of Contributions and Artifacts", level=2)
    yield Passage(label="Paper's Main Contributions.", text=_NOT_OF_RECORD)
    yield Passage(label="Computational Artifacts.", text=f"A1 and A2. DOI: {_NO_ARCHIVE}")
    commit = facts.of_provenance("git", "commit")
    yield Tabular(
        head=("Artifact", "What it is", "Identified by"),
        rows=(
            (
                "A1",
                f"{facts.name}: {runs} sealed runs",
                f"Merkle root of the seals, SHA-256 {facts.root_sha256}",
            ),
            ("A2", "joulegrid, the program that measured", f"git commit {commit.text}"),
        ),
    )
    yield Tabular(
        head=("Artifact", "Contributions Supported", "Related Paper Elements"),
        rows=(("A1", _NOT_OF_RECORD, _NOT_OF_RECORD), ("A2", _NOT_OF_RECORD, _NOT_OF_RECORD)),
    )
    yield Passage(text="The seal of each run holds the SHA-256 of its every file:")
    yield Tabular(head=("Run", "Seal", "SHA-256"), rows=tuple(facts.seal_rows()))


def _results(facts: CampaignFacts) -> Tabular:
    rows = []
    for row in facts.tables.groups.rows:
        low, high = row["energy_per_token_j_low"], row["energy_per_token_j_high"]
        interval = f"{low:.4g} to {high:.4g}" if low is not None and high is not None else ""
        mean, power = row["energy_per_token_j_mean"], row["power_w_mean"]
        rows.append(
            (
                f"{row['model']}, {row['dataset']}, {row['engine']}, {row['dtype']}",
                f"{row['gpus']} x {row['gpu']}",
                str(row["n"]),
                NOT_RECORDED if mean is None else f"{mean:.4g}",
                interval or str(row["interval_reason"] or NOT_RECORDED),
                NOT_RECORDED if power is None else f"{power:.4g}",
            )
        )
    head = ("Tabular point", "GPUs", "Repeats", "J / token", "95 % interval", "Power in W")
    return Tabular(head=head, rows=tuple(rows))


def _time(facts: CampaignFacts) -> Iterator[Block]:
    yield Heading(text="Expected Reproduction Time (in Minutes)", level=3)
    minutes = facts.execution_minutes
    yield pairs(
        "Step",
        "Minutes",
        [
            ("Artifact Setup", _NOT_TIMED),
            ("Artifact Execution", minutes.text),
            ("Artifact Analysis", _NOT_TIMED),
        ],
    )
    yield Passage(
        text="Execution is the sum of the runs, each from the start of its first rank to its end, "
        "as if one followed another; time in a queue is not in it."
    )


def _setup(facts: CampaignFacts) -> Iterator[Block]:
    yield Heading(text="Artifact Setup (incl. Inputs)", level=3)
    yield Heading(text="Hardware", level=4)
    told: list[tuple[str, Fact]] = [
        ("GPU", facts.of_gpus("name")),
        ("GPU memory", facts.gpu_memory_gb),
        ("VBIOS", facts.of_gpus("vbios")),
        ("GPUs of a run", facts.of_spec("gpus")),
        ("GPUs of a node", facts.of_spec("gpus_per_node")),
        ("Power limit in W", facts.of_gpus("power_limit_w")),
        ("Processor", facts.of_hosts("cpu_model")),
        ("Logical processors", facts.of_hosts("logical_cpus")),
        ("Memory of a node", facts.host_memory_gb),
    ]
    yield _facts(told)
    yield Heading(text="Software", level=4)
    packages = facts.packages
    yield _facts(
        [
            ("Kernel", facts.of_hosts("kernel")),
            ("GPU driver", facts.of_gpus("driver")),
            ("Python", facts.of_provenance("python")),
            *((name, packages[name]) for name in _PACKAGES if name in packages),
            ("All packages", _all_packages(facts)),
        ]
    )
    yield Heading(text="Datasets / Inputs", level=4)
    yield _facts(
        [
            ("Data set", facts.of_spec("dataset")),
            ("Prompts of a run", facts.of_spec("prompts")),
            ("SHA-256 of the prompts", facts.of_launch("prompts_sha256")),
            ("Model", facts.of_spec("model")),
            ("Weights", facts.of_spec("weights")),
            ("Tokenizer", facts.of_spec("tokenizer")),
            ("Seed", facts.of_spec("seed")),
        ]
    )
    yield Heading(text="Installation and Deployment", level=4)
    changed = len(facts.changed_runs)
    yield _facts(
        [
            ("Commit", facts.of_provenance("git", "commit")),
            ("SHA-256 of uncommitted changes", facts.changes_sha256),
        ]
    )
    if changed:
        yield Passage(
            label="Not installable as it ran:",
            text=f"{changed} of {len(facts.runs)} runs are from code with changes that no commit "
            "holds.",
        )


def _execution(facts: CampaignFacts) -> Iterator[Block]:
    yield Heading(text="Artifact Execution", level=3)
    yield Passage(text="What it would do here, and then that:")
    yield Commands(lines=reproduce_lines(facts))
    yield Passage(text="As it was called:")
    calls = {
        shlex.join(map(str, command))
        for run in facts.runs
        if isinstance(command := run.provenance.get("command"), list)
    }
    if calls:
        yield Commands(lines=tuple(sorted(calls)))
    else:
        yield Passage(text=f"{NOT_RECORDED}: provenance.json holds no command")


def _outputs(facts: CampaignFacts) -> Iterator[Block]:
    yield Heading(text="Artifact Analysis (incl. Outputs)", level=3)
    yield Commands(lines=analysis_lines(facts))
    yield Passage(label="Audit.", text=facts.verdict.text)


def _all_packages(facts: CampaignFacts) -> Fact:
    count = len(facts.packages)
    if not count:
        return Fact(reason="provenance.json names none")
    return Fact(values=(f"{count}, with their versions, in provenance.json of each run",))


def _facts(rows: list[tuple[str, Fact]]) -> Tabular:
    return pairs("What", "By the record", [(label, told.text) for label, told in rows])
