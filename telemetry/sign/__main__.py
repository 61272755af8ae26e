"""Sign: `python -m telemetry.sign RESULTS --key KEY`: who answers for what is sealed, and its root.

Signs the seal of every run that has no signature yet, takes one hash of all seals, keeps it in
RESULTS/roots and signs it too. The hash is to be lodged where the folder's owner cannot edit:
`--lodge`, `--tsa`.
"""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from telemetry.command import CommandParser, ExitCode, command, complain
from telemetry.document import due
from telemetry.evidence.bundle import require_token
from telemetry.evidence.git_notes import REF
from telemetry.evidence.lodged import Lodging, write_lodgings
from telemetry.evidence.lodging_place import Keeper
from telemetry.evidence.time_stamp import require_client
from telemetry.next_line import typed
from telemetry.output import Output
from telemetry.record.beside import BUNDLE, beside
from telemetry.record.paths import closed_runs, list_runs
from telemetry.record.place import named_place, shown
from telemetry.record.roots import Root, list_roots
from telemetry.record.signature import sign_file, signature_by
from telemetry.record.signer import SigningError
from telemetry.sign.lodging import lodge
from telemetry.sign.order import Order, add_order
from telemetry.sign.signing import Sealed, Signing, add_bundle, sign_seals, signed_by, signer_of
from telemetry.sign.stamping import Stamped, ask_authority, take_answers, write_queries
from telemetry.waiting import waiting

_WHO: Final = "sign"
_MODULE: Final = "telemetry.sign"
_EXITS: Final = {
    ExitCode.DONE: "all that is sealed is signed, stamped and lodged as asked",
    ExitCode.FAILED: "a run is not as sealed, a signature not its seal's, or who was asked refuses",
    ExitCode.BAD_INPUT: "the command, the folder, the key or the answer will not do",
    ExitCode.NOTHING_DONE: "nothing is sealed",
}


@dataclass(kw_only=True)
class _Done:
    """What came of a call, as far as it is."""

    results: Path
    """The results folder."""
    sealed: Sealed
    """Its sealed runs."""
    own: str | None
    """The key that signs, as a signature tells it; None where none does."""
    signing: Signing = field(default_factory=Signing)
    """What was signed."""
    stamped: list[Stamped] = field(default_factory=list)
    """What an authority said, now or before."""
    queries: list[Path] = field(default_factory=list)
    """What one is to be asked from elsewhere."""
    lodged: list[Lodging] = field(default_factory=list)
    """Each try to lodge the root."""
    faults: list[str] = field(default_factory=list)
    """What is wrong with the root's signatures, and what it is not of, one line each."""


@command(_WHO)
def main(arguments: Sequence[str] | None = None) -> int:
    """Sign what is sealed in a results folder; the exit status."""
    parser = CommandParser(module=_MODULE, description=__doc__, exits=_EXITS)
    add_order(parser)
    words = list(sys.argv[1:] if arguments is None else arguments)
    given = parser.parse_args(arguments)
    try:
        order = Order.named(given)
    except ValueError as error:
        complain(_WHO, str(error))
        return ExitCode.BAD_INPUT

    def line(folder: str) -> str:
        return typed(_MODULE, *(folder if word == given.results else word for word in words))

    place = named_place(given.results, _MODULE, line=line)
    results = place.results
    if place.run is not None:
        instead = line(shown(results))
        complain(
            _WHO, f"`results` must be a results folder, but {place.folder} is of one: {instead}"
        )
        return ExitCode.BAD_INPUT
    sealed = [(run, attempt) for run in list_runs(results) if (attempt := run.sealed()) is not None]
    if not sealed:
        complain(_WHO, f"{results} holds no sealed run")
        return ExitCode.NOTHING_DONE
    try:
        # Before anything is hashed; one that cannot sign is none though all is signed already.
        own = None if order.key is None else signer_of(order.key)
        if order.sigstore:
            require_token()
        if order.stamps or order.answers:
            require_client()
        return _act(order, _Done(results=results, sealed=sealed, own=own))
    except (SigningError, ValueError) as error:
        # A key is looked at for a run's setting too, which has another name.
        complain(_WHO, str(error).replace("`signing_key`", "`--key`"))
        return ExitCode.BAD_INPUT


def _act(order: Order, done: _Done) -> int:
    results = done.results
    if order.answers:
        # Before the root: they are of what was there when they were asked for.
        files = [*list_roots(results), *(attempt.seal for _, attempt in done.sealed)]
        done.stamped += take_answers(files, order.answers)
    with waiting("hashing sealed runs", aside=False):
        done.signing = sign_seals(done.sealed, order.key, order.name, sigstore=order.sigstore)
    # What cannot be read is under no root, and whoever lodges it should know.
    done.faults += [
        f"{closed.run_id}: its folder cannot be read, so it is under no root: {closed.reason}"
        for closed in closed_runs(results)
    ]
    root = Root.take(results)
    kept = root.keep(results)
    out = Output()
    _sign_root(order, done, kept, out, root)
    files = [kept, *(attempt.seal for _, attempt in done.sealed if order.seals_too)]
    if order.authority is not None:
        with waiting("asking the time stamp authority", aside=False):
            done.stamped += ask_authority(files, order.authority)
        done.lodged += _asked(order.authority, kept, done.stamped)
    if order.query:
        done.queries = write_queries(files)
    with waiting("lodging the root", aside=False):
        done.lodged += [one for place in order.places for one in lodge(place, root, done.sealed)]
    if done.lodged:
        write_lodgings(kept, done.lodged)
    _tell(done, out)
    out.next(typed("analysis.audit", results, *_audit_words(order, root.sha256)))
    _fill(done, root, kept)
    faults = [*done.signing.faults, *done.faults]
    faults += [one.fault for one in done.stamped if one.fault is not None]
    faults += [f"not lodged in {one.where}: {one.answer}" for one in _places(done) if not one.kept]
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        complain(_WHO, f"{faults[0]}{more}")
        return ExitCode.FAILED
    return ExitCode.DONE


def _sign_root(order: Order, done: _Done, kept: Path, out: Output, root: Root) -> None:
    """Sign the root as the seals, and tell of both."""
    signing = done.signing
    if order.key is not None:
        others = sum(signer not in ("", done.own) for signer in signing.olds)
        beside_it = f"; {others} of them by another key" if others else ""
        count = f"{len(signing.news)} of {len(done.sealed)} seals signed"
        out.say(f"{count}, {len(signing.olds)} were before{beside_it}")
        if others and order.name is None:
            out.say("--as NAME signs beside it")
    if order.sigstore:
        out.say(f"{len(signing.bundles)} of {len(done.sealed)} seals have a new bundle")
    out.say(f"root: {root.sha256}")
    if order.key is not None:
        signature = signature_by(kept, order.key, order.name)
        was = signature.exists()
        sign_file(kept, order.key, order.name)
        if was and signed_by(kept, signature, kept.name, done.faults) not in ("", done.own):
            out.say("the root was signed before by another key, which stays")
    if order.sigstore and not signing.silent and not beside(kept, BUNDLE).exists():
        add_bundle(kept, signing)
    out.say(f"wrote {kept}{' and its signature' if order.key is not None else ''}")


def _tell(done: _Done, out: Output) -> None:
    for one in done.stamped:
        if one.stamp is not None:
            out.say(f"time stamp of {one.stamp}, of {one.of.relative_to(done.results)}")
    for query in done.queries:
        out.say(f"wrote {query}: an authority's answer to it is for --tsr")
    if any(one.fault is not None for one in done.stamped):
        out.say("the root is kept; what was to be asked lies beside it, its answer is for --tsr")
    places = _places(done)
    for each in places:
        out.say(f"{'lodged' if each.kept else 'not lodged'} in {each.where}: {each.answer}")
    for place in places:
        if place.kept and place.where.startswith(Keeper.GIT):
            repository = place.where.partition("=")[2]
            push = shlex.join(["git", *(["-C", repository] if repository else []), "push"])
            out.say("others keep the note once it is pushed:")
            out.exact(f"  {push} REMOTE {REF}")
    if not any(one.kept for one in done.lodged):
        out.say("lodge the root where this folder's owner cannot edit it: docs/evidence.md has how")


def _places(done: _Done) -> list[Lodging]:
    return [one for one in done.lodged if not one.where.startswith("tsa")]


def _asked(url: str, kept: Path, stamped: Sequence[Stamped]) -> list[Lodging]:
    """What the authority said of the root, to be written down with where else it lies."""
    (one,) = [each for each in stamped if each.of == kept][-1:]
    if one.stamp is None:
        return [Lodging.now(f"tsa {url}", str(one.fault), kept=False)]
    return [Lodging.now(f"tsa {url}", str(one.stamp), kept=True)]


def _audit_words(order: Order, root: str) -> list[str]:
    words = ["--root", root]
    for place in order.places:
        words += ["--lodged", str(place)]
    return words


def _fill(done: _Done, root: Root, kept: Path) -> None:
    if (document := due()) is None:
        return
    content: dict[str, Any] = {
        "results": str(done.results),
        "root": root.sha256,
        "root_file": str(kept),
        "seals": len(root.seals),
        "signed": done.signing.news,
        "signed_before": len(done.signing.olds),
        "signers": sorted({one for one in [done.own or "", *done.signing.olds] if one}),
        "bundles": done.signing.bundles,
        "stamps": [
            {
                "of": one.of.relative_to(done.results).as_posix(),
                "at_us": one.stamp.at_us if one.stamp else None,
                "authority": one.stamp.authority if one.stamp else None,
                "fault": one.fault,
            }
            for one in done.stamped
        ],
        "queries": [str(path) for path in done.queries],
        "lodged": [one.to_mapping() for one in done.lodged],
    }
    document.fill("sign", content)


if __name__ == "__main__":
    sys.exit(main())
