"""Misspelt names find the one that was meant, and nothing where none is near."""

import pytest

from telemetry.nearest import did_you_mean, nearest, one_of, settled

NAMES = (
    *("model", "dataset", "engine", "experiment", "gpu", "gpus", "prompts", "batch_size"),
    *("max_gen_len", "temperature", "quantization", "results", "power_cap_w", "telemetry"),
    *("7b", "13b", "30b", "65b", "figure4_watts", "figure5_watts", "rtx4090", "a100", "a100-40gb"),
)


@pytest.mark.parametrize(
    ("given", "first"),
    [
        *(("promts", "prompts"), ("batchsize", "batch_size"), ("batch-size", "batch_size")),
        *(("telemtry", "telemetry"), ("resutls", "results"), ("7bb", "7b"), ("llama-7b", "7b")),
        *(("figure4_watt", "figure4_watts"), ("figure4", "figure4_watts"), ("GPUS", "gpus")),
        *(("fig4", "figure4_watts"), ("temp", "temperature"), ("RTX 4090", "rtx4090")),
        ("quant", "quantization"),
    ],
)
def test_the_name_that_was_meant_comes_first(given: str, first: str) -> None:
    assert nearest(given, NAMES)[0] == first


@pytest.mark.parametrize("given", ["", "-", "x", "foo", "nonsense", "nodes", "precision", "ünï"])
def test_what_is_near_to_nothing_gets_no_guess(given: str) -> None:
    assert nearest(given, NAMES) == []
    assert did_you_mean(given, NAMES) == ""


def test_at_most_three_guesses_are_made() -> None:
    assert len(nearest("run", [f"run-{number}" for number in range(50)])) == 3


@pytest.mark.parametrize(
    ("given", "name"), [("7B", "7b"), ("RTX-4090", "rtx4090"), ("A100_40GB", "a100-40gb")]
)
def test_case_and_marks_between_words_make_no_other_name(given: str, name: str) -> None:
    assert settled(given, NAMES) == name


def test_a_name_that_two_are_alike_to_is_settled_to_none() -> None:
    assert settled("AB", ["ab", "aB"]) is None
    assert settled("ab", ["ab", "aB"]) == "ab"


def test_a_short_list_is_shown_and_a_long_one_counted_with_the_way_to_it() -> None:
    short = one_of("model", ["7b", "13b"], "7bb", things="models", ask="--help model")
    long = [f"experiment_{number:02}" for number in range(16)]
    assert short == "`model` must be one of 7b, 13b, but is '7bb' instead; did you mean 7b?"
    assert one_of("key", long, "experiment_3", things="keys", ask="--help") == (
        "`key` must be one of 16 keys, but is 'experiment_3' instead; "
        "did you mean experiment_03 or experiment_13? (--help lists them)"
    )
    assert one_of("key", long, "foo", things="keys", ask="--help") == (
        "`key` must be one of 16 keys, but is 'foo' instead; --help lists them"
    )


def test_a_long_value_is_shown_as_far_as_it_tells_which() -> None:
    assert len(one_of("model", ["7b"], "x" * 10_000, things="models")) < 200
