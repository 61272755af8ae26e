"""Order: what a call of `sign` is to do, beside taking the root."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from telemetry.command import CommandParser
from telemetry.evidence.authority import authority_url
from telemetry.evidence.lodging_place import LodgingPlace
from telemetry.named_paths import named_path
from telemetry.record.beside import signer_name


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a call is to do."""

    key: Path | None = None
    """The key that signs; None for none."""
    name: str | None = None
    """A further signer's name; None for the first, whose signatures have none."""
    sigstore: bool = False
    """Whether sigstore is asked for bundles."""
    authority: str | None = None
    """URL of a time stamp authority to ask; None for none."""
    query: bool = False
    """Whether queries are written for an authority that is asked from elsewhere."""
    seals_too: bool = False
    """Whether each seal gets a time stamp, beside the root."""
    answers: tuple[Path, ...] = ()
    """Answers of an authority that were brought back."""
    places: tuple[LodgingPlace, ...] = ()
    """Where the root is lodged."""

    @classmethod
    def named(cls, given: argparse.Namespace) -> Self:
        """What the words of a command line say.

        Raises:
            ValueError: one of them will not do.
        """
        order = cls(
            key=None
            if given.key is None
            else named_path("--key", given.key, "an SSH or minisign key's file"),
            name=signer_name(given.signer),
            sigstore=given.sigstore,
            authority=None if given.tsa is None else authority_url("--tsa", given.tsa),
            query=given.tsa_query,
            seals_too=given.stamp_seals,
            answers=tuple(_answer(each) for each in given.tsr or ()),
            places=tuple(LodgingPlace.named("--lodge", each) for each in given.lodge or ()),
        )
        if not (order.signs or order.stamps or order.answers or order.places):
            raise ValueError(
                "one of `--key`, `--sigstore`, `--tsa`, `--tsa-query`, `--tsr` and `--lodge` "
                "must be given, but none is"
            )
        if order.name is not None and order.key is None:
            raise ValueError("`--key` must be given with `--as`, but is not")
        if order.seals_too and not order.stamps:
            raise ValueError(
                "`--tsa` or `--tsa-query` must be given with `--stamp-seals`, but neither is"
            )
        return order

    @property
    def signs(self) -> bool:
        """Whether anything is signed."""
        return self.key is not None or self.sigstore

    @property
    def stamps(self) -> bool:
        """Whether an authority is asked, from here or elsewhere."""
        return self.authority is not None or self.query


def _answer(given: str) -> Path:
    path = named_path("--tsr", given, "a file")
    if not path.is_file():
        raise ValueError(f"`--tsr` must be a file, but {path} is not")
    return path


def add_order(parser: CommandParser) -> None:
    """Let a command be told it."""
    parser.add_argument("results", help="the results folder")
    parser.add_argument(
        "--key",
        help="key that signs: minisign's or SSH's, a private one without a passphrase, or SSH's "
        "public one that an agent holds",
    )
    parser.add_argument(
        "--as",
        dest="signer",
        metavar="NAME",
        help="sign beside whoever signed before, as seal.json.NAME.sig",
    )
    parser.add_argument(
        "--sigstore",
        action="store_true",
        help="ask sigstore for a bundle, by the identity token in SIGSTORE_ID_TOKEN",
    )
    parser.add_argument("--tsa", metavar="URL", help="time stamp authority to ask, RFC 3161")
    parser.add_argument(
        "--tsa-query",
        action="store_true",
        help="write what to ask one from elsewhere: ROOT.json.tsq",
    )
    parser.add_argument("--stamp-seals", action="store_true", help="a time stamp of each seal, too")
    parser.add_argument(
        "--tsr",
        action="append",
        metavar="FILE",
        help="answer that was brought back; may stand again",
    )
    parser.add_argument(
        "--lodge",
        action="append",
        metavar="PLACE",
        help="lodge the root: git, git=REPOSITORY or slurm, the jobs' comments; may stand again",
    )
    parser.add_json("the root, who signed, time stamps, and where the root is lodged")
