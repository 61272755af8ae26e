"""Complexity: what was asked and answered in each batch, and the energy that it took.

All rows of a batch share every step, so that no joule belongs to one response: a response's energy
is its batch's over the responses, and nothing finer is told.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from analysis.findings.batches import MOST_STRETCHES, Stretch, batches_of
from analysis.findings.works import NOT_ON_RECORD
from analysis.tables.column import ColumnsOf
from analysis.tables.labels import label_columns
from analysis.tables.measured import Measured
from analysis.tables.point import POINT_BY_NAME
from analysis.tables.table import TableKind
from telemetry.record.spec import SETTING_FIELDS


def _stretches(one: Measured) -> Iterator[Stretch]:
    found = batches_of(one)
    if found is not None:
        yield from found.stretches()


def _board(one: Stretch) -> str:
    names = sorted({gpu.name for gpu in one.of.run_energy.gpus})
    return " and ".join(names) or NOT_ON_RECORD


_OF: Final = ColumnsOf[Stretch]()
_NAMED: Final = (
    *("model", "engine", "dtype", "quantization", "gpus", "gpus_per_node", "batch_size"),
    "kv_dtype",
    *SETTING_FIELDS,
    *("dataset", "max_prompt_len", "max_gen_len"),
)

_COLUMNS: Final = (
    _OF.run_id(lambda one: one.of.run_id),
    _OF.count("stretch", "stretch", "Its place in the run, from 0.", lambda one: one.number),
    _OF.text("board", "board", "Product of the working GPUs.", _board, shown=False),
    # A run's name says most of it, and the page has its row of runs.
    *(
        replace(_OF.told(POINT_BY_NAME[name], lambda one: one.of.spec), shown=name == "engine")
        for name in _NAMED
    ),
    _OF.simulated(lambda one: one.of.simulated),
    *label_columns(_OF, lambda one: one.of),
    _OF.count(
        "batches",
        "batches",
        f"Batches in it: 1, or in a run of more than {MOST_STRETCHES} those of like prompt "
        "lengths.",
        lambda one: one.count,
    ),
    _OF.count("responses", "responses", "Prompts answered.", lambda one: one.responses),
    _OF.count(
        "prompt_tokens", "prompt tokens", "Of all of its prompts.", lambda one: one.prompt_tokens
    ),
    _OF.count("generated_tokens", "tokens", "Ids kept.", lambda one: one.generated_tokens),
    _OF.number(
        "prompt_bytes",
        "prompt bytes",
        "B",
        "Of its prompts' texts in UTF-8, cut or not.",
        lambda one: one.prompt_bytes,
        shown=False,
        reason="text_reason",
    ),
    _OF.number(
        "prompt_entropy_bits",
        "prompt entropy",
        "bit",
        "Shannon entropy of how often each byte occurs in a prompt's text, in bits a byte: mean "
        "over the prompts.",
        lambda one: one.prompt_bits,
        reason="text_reason",
    ),
    _OF.count(
        "prompt_words",
        "prompt words",
        "Of its prompts' texts, cut or not: what white space parts.",
        lambda one: one.prompt_words,
        shown=False,
        reason="text_reason",
    ),
    _OF.number(
        "prompt_readability",
        "readability",
        "1",
        "Automated readability index of a prompt's text (textstat), about the school grade that "
        "reads it: mean over the prompts.",
        lambda one: one.prompt_readability,
        shown=False,
        reason="readability_reason",
    ),
    _OF.number(
        "answer_entropy_bits",
        "answer entropy",
        "bit",
        "The same of all ids that were generated, in bits an id. Of random weights it says "
        "nothing of quality.",
        lambda one: one.answer_bits,
        shown=False,
    ),
    _OF.number(
        "seconds",
        "time",
        "s",
        "From begin of prefill, or of encode before it, to end of decode, summed over batches, "
        "mean over ranks.",
        lambda one: one.seconds,
    ),
    *_OF.uncertain(
        "energy_j",
        "energy",
        "J",
        "Gross energy of all working GPUs in that time.",
        lambda one: one.energy,
        reason="energy_reason",
    ),
    *_OF.uncertain(
        "energy_per_response_j",
        "J / response",
        "J",
        "energy_j / responses: the rows of a batch share every step, so nothing finer is told.",
        lambda one: one.energy.over(one.responses),
        reason="energy_reason",
    ),
    *_OF.uncertain(
        "encode_energy_j",
        "encode",
        "J",
        "Gross energy in ENCODE of these batches; empty where the model has no encoder.",
        lambda one: one.encode,
        reason="encode_reason",
        shown=False,
    ),
    *_OF.uncertain(
        "prefill_energy_j",
        "prefill",
        "J",
        "Gross energy in PREFILL of these batches.",
        lambda one: one.prefill,
        reason="prefill_reason",
        shown=False,
    ),
    *_OF.uncertain(
        "decode_energy_j",
        "decode",
        "J",
        "Gross energy in DECODE of these batches.",
        lambda one: one.decode,
        reason="decode_reason",
        shown=False,
    ),
    _OF.why("energy_reason", "energy", "Why it is missing.", lambda one: one.energy.reason),
    _OF.why("encode_reason", "encode", "Why it is missing.", lambda one: one.encode.reason),
    _OF.why(
        "prefill_reason",
        "prefill",
        "Why it is missing.",
        lambda one: one.prefill.reason,
    ),
    _OF.why("decode_reason", "decode", "Why it is missing.", lambda one: one.decode.reason),
    _OF.why(
        "readability_reason",
        "readability",
        "Why it is missing.",
        lambda one: one.readability_reason,
    ),
    _OF.why("text_reason", "text", "Why what is of texts is missing.", lambda one: one.text_reason),
)

COMPLEXITY: Final = TableKind(
    name="complexity",
    title="What was asked, and what it took",
    columns=_COLUMNS,
    of_run=_stretches,
    section="complexity",
    heading="What was asked in each batch, and what it took",
    text="Lengths and entropy of prompts and answers beside the energy of the batches that "
    "answered them. Random weights answer with noise: the entropy of their answers says nothing "
    "of quality.",
)
"""One row a run and stretch of batches."""
