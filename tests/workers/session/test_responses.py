"""Responses: what a data set holds for right goes into the record beside the answers."""

import json
from pathlib import Path

import pyarrow.parquet as pq

from telemetry.merge.attempt import merge_attempt
from tests.support.watched_attempts import end_attempt, make_attempt, shard_writer
from workers.engines.base.generation import Generation
from workers.prompts.prompt_row import PromptRow
from workers.session.responses import Responses
from workers.tokenizers.tokenizer import load


def test_right_and_wrong_answers_are_merged_as_json_and_bare_texts_have_none(
    tmp_path: Path,
) -> None:
    run, attempt = make_attempt(tmp_path)
    responses = Responses.decode(
        load(None),
        batch=0,
        first_prompt=0,
        prompts=[[1, 5], [1, 6]],
        answers=Generation(ids=[[7], [8]], ended=[False, False], first_steps=[0, 0], step_us=[10]),
        begun_us=100,
        asked=[
            PromptRow(text="Where?", references=("zwölf", 'a "b"'), wrong_references=("no",)),
            PromptRow(text="Why?"),
        ],
    )
    with (
        shard_writer(attempt, "responses", attempt.rank_shard("responses", 0)) as written,
        shard_writer(attempt, "steps", attempt.rank_shard("steps", 0)) as steps,
    ):
        responses.write(written, steps)
    end_attempt(attempt)
    merge_attempt(run, attempt)
    first, second = pq.read_table(attempt.table("responses")).to_pylist()
    assert json.loads(first["references"]) == ["zwölf", 'a "b"']
    assert json.loads(first["wrong_references"]) == ["no"]
    assert (second["references"], second["wrong_references"]) == (None, None)
