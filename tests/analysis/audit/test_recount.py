"""Tokens that no text holds: an engine that counts more than it said is caught by its own words."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import sentencepiece

from analysis.audit.check import Finding, Outcome
from analysis.audit.pieces import Pieces
from telemetry.record.files import file_sha256
from telemetry.record.paths import RunPaths
from tests.analysis.audit.corpus.contradicted import half_unsaid
from tests.analysis.audit.forging import close, copy, edit_shards, look
from tests.support.records import Plan, build_run
from workers.tokenizers.tokenizer import BUNDLED_MODEL

PIECES = Pieces.parse(BUNDLED_MODEL.read_bytes())
ENCODER = sentencepiece.SentencePieceProcessor(model_file=str(BUNDLED_MODEL))
SAID = [
    "Nine crates hold four jars each, so there are thirty-six jars.",
    "The mill stands on the east bank of the river, below the bridge.",
    "1 + 1 = 2, and\n2 + 2 = 4.",
    "Überall war es still.",
]
END = PIECES.texts.index("</s>")
Segmented = Callable[[str], list[int]]


def by_encoder(text: str) -> list[int]:
    return [int(one) for one in ENCODER.encode(text)]


def by_letters(text: str) -> list[int]:
    """Every letter a token of its own, or its bytes where no piece is it."""
    shown = ["\u2581" if one == " " else one for one in text]
    singles = {piece: at for at, piece in enumerate(PIECES.texts) if len(piece) == 1}
    of_bytes = {f"<0x{byte:02X}>": byte for byte in range(256)}
    places = {byte: PIECES.texts.index(piece) for piece, byte in of_bytes.items()}
    found: list[int] = []
    for one in shown:
        found += [singles[one]] if one in singles else [places[byte] for byte in one.encode()]
    return found


def answered(results: Path, ids: Sequence[list[int]], **spec: Any) -> Finding:
    """What the audit finds in a run of trained weights that answered so."""
    own = {"weights": "0" * 16, "prompts": 4, "batch_size": 2, "max_gen_len": 256, **spec}

    def said(row: dict[str, Any]) -> dict[str, Any]:
        mine = ids[row["prompt"]]
        text = PIECES.text(mine)
        told = {"generated_ids": mine, "generated_tokens": len(mine)}
        return {**row, **told, "text": text, "words": len(text.split())}

    run = build_run(results, Plan(spec=own, response=said))
    name = file_sha256(BUNDLED_MODEL)
    edit_shards(run, "responses", metadata=lambda told: told["tokenizer"].update(sha256=name))
    return look(close(run), "recount")


def test_answers_as_the_encoder_parts_them_pass(tmp_path: Path) -> None:
    found = answered(tmp_path, [by_encoder(text) for text in SAID])
    assert found.outcome is Outcome.PASSED, found.evidence


def test_a_token_a_letter_fails(tmp_path: Path) -> None:
    found = answered(tmp_path, [by_letters(text) for text in SAID])
    assert found.outcome is Outcome.FAILED
    assert "more than 1.5 times as many" in found.evidence


@pytest.mark.parametrize(("ignored", "outcome"), [(False, Outcome.FAILED), (True, Outcome.PASSED)])
def test_ends_that_are_counted_fail_where_the_spec_does_not_ignore_them(
    tmp_path: Path, ignored: bool, outcome: Outcome
) -> None:
    found = answered(tmp_path, [[*by_encoder(text), END] for text in SAID], ignore_eos=ignored)
    assert found.outcome is outcome
    assert ("count the id that ends one" in found.evidence) is not ignored


def test_ids_that_read_as_nothing_fail(tmp_path: Path) -> None:
    begin = PIECES.texts.index("<s>")
    found = answered(tmp_path, [[*by_encoder(text), *[begin] * 20] for text in SAID])
    assert found.outcome is Outcome.FAILED
    assert "80 of" in found.evidence
    assert "read as nothing" in found.evidence


def test_half_of_a_real_runs_tokens_told_without_a_text_fails(
    base: RunPaths, tmp_path: Path
) -> None:
    assert look(base, "recount").outcome is Outcome.PASSED
    run = copy(base, tmp_path)
    edit_shards(run, "responses", half_unsaid)
    found = look(close(run), "recount")
    assert found.outcome is Outcome.FAILED, found.evidence
    # Nobody else knows: each text is that of its ids.
    assert look(run, "texts").outcome is Outcome.PASSED


@pytest.mark.parametrize("text", [*SAID, "", " ", "a", "\ufffd\ufffd", "  two  spaces", "№ 7 ☃"])
def test_no_way_to_say_a_text_takes_fewer_than_the_fewest(text: str) -> None:
    for ways in (by_encoder, by_letters):
        ids = ways(text)
        assert PIECES.fewest(PIECES.text(ids)) <= len(ids)


def test_the_fewest_are_found() -> None:
    piece = max((one for one in PIECES.texts if one.isalpha()), key=len)
    assert PIECES.fewest(piece) == 1
    assert PIECES.fewest(f"{piece}\n{piece}") == 3
