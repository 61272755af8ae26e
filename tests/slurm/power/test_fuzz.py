"""Broker's inputs, by chance: each is read for what it is, or refused in one clean line."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.slurm.power.bench import START, broker

KEYS = ("cap_w", "sm_mhz", "mem_mhz")
BOOT = "8f0c1c0e-0000-4000-8000-0123456789ab"
quick = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
long = settings(max_examples=20_000, deadline=None, suppress_health_check=list(HealthCheck))

near_wishes = st.builds(
    lambda words, rest: (broker.WISHES + ",".join(words) + rest).encode("utf-8", "replace"),
    st.lists(
        st.builds(
            "{}{}{}".format,
            st.sampled_from([*KEYS, "gpus", "CAP_W", ""]),
            st.sampled_from(["=", "==", " =", ""]),
            st.one_of(st.integers().map(str), st.floats().map(str), st.text(max_size=6)),
        ),
        max_size=5,
    ),
    st.one_of(st.just(""), st.text(max_size=40)),
)
comments = st.one_of(st.binary(max_size=2_000), near_wishes)
rows = st.one_of(
    st.binary(max_size=300),
    st.lists(
        st.lists(
            st.one_of(
                st.sampled_from(["7", "NO", "OK", "R", "N/A", START, "", "-1", "0x7", "1" * 30]),
                st.text(max_size=5),
            ),
            min_size=5,
            max_size=8,
        ).map("|".join),
        max_size=4,
    ).map(lambda lines: "\n".join(lines).encode("utf-8", "replace")),
)
gpus = st.builds(
    lambda number, cap, clocks: broker.Gpu(
        uuid=f"GPU-{number:08x}-fa4e-4000-8000-{number:012x}",
        cap_before_mw=cap and 700_000,
        cap_set_mw=cap,
        sm_set_mhz=clocks,
        mem_set_mhz=None,
    ),
    st.integers(0, 2**32 - 1),
    st.one_of(st.none(), st.integers(1, 10**8)),
    st.one_of(st.none(), st.integers(1, 99_999)),
)
states = st.builds(
    lambda job, uid, clocks, boards: broker.State(
        boot_id=BOOT,
        job_id=job,
        job_start=START,
        uid=uid,
        clocks=clocks,
        gpus=tuple(boards),
    ),
    st.integers(1, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.sampled_from([None, "reset", "345-1500"]),
    st.lists(gpus, min_size=1, max_size=4, unique_by=lambda gpu: gpu.uuid),
)
junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A state with a value exchanged, a key more or less, or bytes cut and changed."""
    told: dict[str, Any] = json.loads(draw(states).pack())
    place: dict[str, Any] = draw(st.sampled_from([told, told["gpus"][0]]))
    key = draw(st.sampled_from([*place, "more"]))
    if draw(st.booleans()):
        place[key] = draw(junk)
    else:
        place.pop(key, None)
    raw = bytearray(json.dumps(told).encode())
    for _ in range(draw(st.integers(0, 2))):
        raw[draw(st.integers(0, len(raw) - 1))] = draw(st.integers(0, 255))
    return bytes(raw[: draw(st.integers(0, len(raw)))]) if draw(st.booleans()) else bytes(raw)


def one_line(error: Exception) -> None:
    assert str(error).isprintable()


def read_comment(raw: bytes) -> None:
    try:
        wish = broker.parse_wish(raw)
    except broker.RefusedError as error:
        one_line(error)
        return
    if wish is None:
        assert not raw.startswith(broker.WISHES.encode())
        return
    word = raw.decode().partition(" ")[0].removeprefix(broker.WISHES)
    told = dict(setting.split("=") for setting in word.split(","))
    assert told == {key: str(getattr(wish, key)) for key in KEYS if getattr(wish, key) is not None}
    assert all(0 < int(number) < 100_000 for number in told.values())


def read_rows(raw: bytes) -> None:
    try:
        jobs = broker.parse_rows(raw)
    except broker.RefusedError as error:
        one_line(error)
        return
    for job in jobs:
        assert job.name.replace("_", "").isdigit()
        assert job.whole is (b"|NO|" in raw and job.whole)


def read_state(raw: bytes) -> None:
    try:
        state = broker.parse_state(raw)
    except broker.DamagedError as error:
        one_line(error)
        return
    assert broker.parse_state(state.pack()) == state
    for gpu in state.gpus:
        assert gpu.cap_before_mw is None or 0 < gpu.cap_before_mw <= 10**8


@quick
@given(comments)
def test_any_comment_is_a_wish_within_the_grammar_or_refused(raw: bytes) -> None:
    read_comment(raw)


@quick
@given(rows)
def test_any_answer_is_rows_or_refused(raw: bytes) -> None:
    read_rows(raw)


@quick
@given(st.one_of(damaged(), st.binary(max_size=200)))
def test_any_state_is_what_was_written_here_or_damaged(raw: bytes) -> None:
    read_state(raw)


@quick
@given(states)
def test_a_state_that_is_written_is_read_as_it_was(state: Any) -> None:
    assert broker.parse_state(state.pack()) == state


@pytest.mark.slow
@pytest.mark.timeout(1800)
@long
@given(comments, rows, st.one_of(damaged(), st.binary(max_size=2_000)))
def test_every_input_for_minutes(comment: bytes, answer: bytes, state: bytes) -> None:
    read_comment(comment)
    read_rows(answer)
    read_state(state)
