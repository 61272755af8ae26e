"""Verdict document: what came of a reproduction, for whoever was not there, to be signed.

It names every seal of both campaigns and their roots, so that it says of which bytes it holds; the
Markdown beside it is made from the JSON alone, so that neither can say more than the other.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from analysis.compare.claims import claim_lines
from analysis.compare.comparison import Comparison
from analysis.compare.facts import FACTS, fact_text
from analysis.compare.sides import Side
from analysis.compare.signers import Signers
from analysis.compare.written import cells_mapping
from telemetry.clock import wall_us
from telemetry.command import own_version
from telemetry.document import strict
from telemetry.record.beside import signature_of
from telemetry.record.files import write_bytes
from telemetry.record.signature import sign_file
from telemetry.terminal import printable

VERDICT: Final = "verdict.json"
"""The document."""
PAGE: Final = "verdict.md"
"""The same for people, made from it."""
SCHEMA: Final = "joulegrid.reproduction"
"""What the document says that it is."""
VERSION: Final = 1
"""Of its keys: it grows when one goes or changes its meaning."""
_PERCENT: Final = 100.0
_NONE: Final = "\N{EN DASH}"


def verdict_mapping(comparison: Comparison) -> dict[str, Any]:
    """The document of a comparison of two folders.

    Raises:
        OSError: a seal cannot be read.
        RuntimeError: a seal is not that which the numbers were read under.
    """
    (reproduction,) = comparison.reproductions
    marked = "SIMULATED: " if comparison.simulated else ""
    signers = reproduction.signers
    found = {
        "schema": SCHEMA,
        "version": VERSION,
        "written_us": wall_us(),
        "made_with": own_version(),
        "verdict": str(reproduction.outcome),
        "sentence": f"{marked}{reproduction.sentence}",
        "reasons": list(reproduction.reasons),
        "simulated": comparison.simulated,
        "by": list(comparison.axes.names),
        "by_given": comparison.axes.given,
        "mixed": comparison.mixed,
        "signers_asked": comparison.allowed is not None,
        "margin": comparison.margin,
        "made_after": {
            "named": len(reproduction.named),
            "runs": len(reproduction.new.members),
        },
        "original": _side(reproduction.original, signers[0]),
        "reproduction": _side(reproduction.new, signers[1]),
        "base": comparison.sides[0].letter,
        "cells": cells_mapping(comparison),
        "claims": [one.to_mapping() for one in comparison.claims],
        "notes": _notes(signers),
        "not_compared": [
            {"side": one.letter, "point": one.point, "runs": one.runs, "reason": one.reason}
            for one in comparison.not_compared
        ],
    }
    told: dict[str, Any] = strict(found)
    return told


def _notes(signers: tuple[Signers, Signers]) -> list[str]:
    both = signers[0].keys & signers[1].keys
    if both:
        return [f"both sides are signed with {', '.join(sorted(both))}: made again by its maker"]
    if any(one.unsigned or not one.runs for one in signers):
        return ["not all runs are signed: that the two have two makers is not shown"]
    return []


def encoded(content: Mapping[str, Any]) -> bytes:
    """The document's bytes; its keys stay in their order, which is the page's too."""
    return f"{json.dumps(content, indent=1, allow_nan=False)}\n".encode()


def write_verdict(content: Mapping[str, Any], folder: Path, key: Path | None) -> list[Path]:
    """Write the document and its page, and sign both where a key is given.

    Raises:
        OSError: it cannot be written.
        SigningError: the key does not sign.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / VERDICT, folder / PAGE]
    for path in paths:
        # Of what lay there before.
        signature_of(path).unlink(missing_ok=True)
    write_bytes(paths[0], encoded(content))
    write_bytes(paths[1], page(content).encode())
    if key is None:
        return paths
    return [*paths, *(sign_file(path, key) for path in paths)]


def page(content: Mapping[str, Any]) -> str:
    """The document as Markdown, for a terminal and a forge alike."""
    return "".join(f"{line}\n" for line in _lines(content))


def _side(side: Side, signers: Signers) -> dict[str, Any]:
    root = side.root()
    return {
        "letter": side.letter,
        "name": side.name,
        "path": str(side.path),
        "results": str(side.results),
        "part": side.part,
        "runs": len(side.members),
        "root_sha256": root.sha256,
        "seals": dict(root.seals),
        "signed_by": signers.to_mapping(),
        "facts": {name: fact_text((m.run for m in side.members), name) for name in FACTS},
        "not_counted": [
            {
                "run_id": one.run_id,
                "attempt": one.attempt,
                "state": one.state,
                "reason": one.reason,
            }
            for one in side.not_counted
        ],
    }


def _lines(content: Mapping[str, Any]) -> Iterator[str]:
    yield f"# Verdict: {_text(content['verdict'])}"
    yield ""
    yield _text(content["sentence"])
    yield ""
    yield "| | original | reproduction |"
    yield "| --- | --- | --- |"
    sides = content["original"], content["reproduction"]
    yield _row("side", *(side["letter"] for side in sides))
    yield _row("folder", *(side["name"] for side in sides))
    yield _row("sealed runs", *(side["runs"] for side in sides))
    yield _row("root", *(side["root_sha256"] for side in sides))
    yield _row("signed by", *(_signed(side["signed_by"]) for side in sides))
    for name in sides[0]["facts"]:
        yield _row(name, *(side["facts"][name] for side in sides))
    yield _row("in no number", *(len(side["not_counted"]) for side in sides))
    yield ""
    yield "| point | metric | runs | ratio | 95 % interval | p, same | verdict | could be seen |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for cell in content["cells"]:
        runs = f"{len(cell['base_runs'])} and {len(cell['other_runs'])}"
        for name, metric in cell["metrics"].items():
            ends = [metric["ratio_low"], metric["ratio_high"]]
            yield _row(
                cell["name"],
                name,
                runs,
                _number(metric["ratio"]),
                _NONE if None in ends else f"{ends[0]:.4f} to {ends[1]:.4f}",
                _NONE if metric["p_same"] is None else f"{metric['p_same']:.2g}",
                metric["verdict"],
                _share(metric["smallest"]),
            )
    yield ""
    other = "B" if content["base"] == "A" else "A"
    yield (
        f"Ratios are {other} over {content['base']}, of geometric means; sameness is within "
        f"{content['margin'] * _PERCENT:g} %. `could be seen`: the least difference that the test "
        "would have shown four times of five."
    )
    for told in dict.fromkeys(
        f"{metric['interval']}; tested by {metric['test']}; effect (Hedges' g) "
        f"{_number(metric['effect'])}"
        for cell in content["cells"]
        for metric in [cell["metrics"]["energy_per_token_j"]]
    ):
        yield ""
        yield f"- {_text(told)}"
    for one in (*content["reasons"], *content["notes"], *_labels(content)):
        yield ""
        yield f"- {_text(one)}"
    # A verdict of an earlier release has none.
    for told in claim_lines(content.get("claims", ())):
        yield ""
        yield f"- {_text(told)}"
    for one in content["not_compared"]:
        yield ""
        yield f"- not compared: {_text(one['side'])} {_text(one['point'])}: {_text(one['reason'])}"


def _labels(content: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(label for cell in content["cells"] for label in cell["labels"]))


def _signed(signers: Mapping[str, Any]) -> str:
    who = [f"{name} ({runs})" for name, runs in signers["runs"].items()]
    return ", ".join([*who, *(["nobody: author unknown"] if signers["unsigned"] else [])]) or _NONE


def _row(*cells: object) -> str:
    return f"| {' | '.join(_text(cell) for cell in cells)} |"


def _text(value: object) -> str:
    """A foreign record's words: they open no tag, no link and no second cell."""
    text = printable(str(value))
    for mark in "\\`[]|":
        text = text.replace(mark, f"\\{mark}")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:.4f}"


def _share(value: float | None) -> str:
    return _NONE if value is None else f"{value * _PERCENT:.2f} %"
