"""No word of the command line is dropped in silence, and none is two things."""

from pathlib import Path

import pytest

from launcher.__main__ import main
from launcher.config.choices import choices, require_choice, settled_word
from launcher.config.command_line import read_points
from launcher.config.errors import BadInputError
from launcher.config.listing import settable

pytestmark = pytest.mark.grids


def refused(*words: str) -> str:
    with pytest.raises(BadInputError) as caught:
        read_points(words)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_list_of_experiments_runs_them_all_each_with_its_own_grid() -> None:
    alone = [len(read_points([f"experiment={name}"])) for name in ("demo", "table3_power_cap")]
    points = read_points(["experiment=demo,table3_power_cap"])
    assert alone == [8, 9]
    assert len(points) == 17
    assert [p.config["experiment"]["name"] for p in points] == ["demo"] * 8 + [
        "table3_power_cap"
    ] * 9
    assert {p.config["model"]["name"] for p in points[:8]} == {"nano", "micro"}


def test_an_experiment_of_a_list_may_be_overridden_like_one_alone() -> None:
    points = read_points(["-m", "experiment=demo,sharding_laptop", "model=nano", "gpus=1"])
    assert {(p.config["model"]["name"], p.config["gpus"]) for p in points} == {("nano", 1)}


@pytest.mark.parametrize(
    ("words", "operands"),
    [
        (("prompts=2", "prompts=4"), ("prompts=2", "prompts=4")),
        (("model=nano", "model=micro"), ("model=nano", "model=micro")),
        (("experiment=demo", "experiment=figure4_watts"), ("experiment=demo", "figure4_watts")),
        (("gpus=1,2", "gpus=4"), ("gpus=1,2", "gpus=4")),
        (("model=nano", "model.name=micro"), ("model=nano", "model.name=micro")),
        (("dataset.name=alpaca", "dataset=gsm8k"), ("dataset.name=alpaca", "dataset=gsm8k")),
        (("cluster.slurm={qos: a}", "cluster.slurm.qos=b"), ("{qos: a}", "cluster.slurm.qos=b")),
        (("cluster=h200", "cluster.gpu=v100", "gpu=a100"), ("gpu=a100", "cluster.gpu=v100")),
        (("experiment=demo", "cluster.typical.prompts=4"), ("prompts=8", "typical.prompts=4")),
        (("hydra.mode=RUN", "hydra.mode=MULTIRUN"), ("hydra.mode=RUN", "hydra.mode=MULTIRUN")),
    ],
)
def test_a_word_that_another_would_drop_is_refused_with_both(
    words: tuple[str, ...], operands: tuple[str, str]
) -> None:
    message = refused("cluster=local", *words) if "cluster=h200" not in words else refused(*words)
    for operand in operands:
        assert operand in message


@pytest.mark.parametrize("word", ["+prompts=2", "++prompts=2", "~prompts", "model@x=nano"])
def test_a_word_that_adds_or_removes_is_refused(word: str) -> None:
    assert f"`{word}` must be key=value without" in refused("prompts=4", word)


@pytest.mark.parametrize("word", ["gpus=1,1", "model=nano,micro,nano", "prompts=choice(4,4)"])
def test_a_value_twice_in_a_sweep_is_refused(word: str) -> None:
    message = refused("cluster=local", word)
    assert message.endswith("2 times")
    assert word in message


@pytest.mark.parametrize("word", ["gpus=range(3,1)", "model=glob(zzz*)"])
def test_a_sweep_of_nothing_is_refused(word: str) -> None:
    assert f"{word} has none" in refused(word)


@pytest.mark.parametrize("word", ["prompts=range(1,1e12)", "prompts=range(1000000)"])
def test_an_endless_sweep_is_refused_at_once(word: str) -> None:
    assert "at most 100000" in refused(word)


def test_a_glob_picks_a_group_s_options() -> None:
    points = read_points(["cluster=local", "model=glob([nan?,mic*])"])
    assert [point.config["model"]["name"] for point in points] == ["micro", "nano"]
    assert "must be a list of values" in refused("gpus=glob(*)")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--multirunn",), "did you mean --multirun?"),
        (("--multi", "gpus=1"), "did you mean --multirun?"),
        (("--run",), "but is neither"),
        (("--cfg", "jobs"), "`--cfg` must be followed by one of job, hydra, all, but is by 'jobs'"),
        (("--cfg",), "`--cfg` must be followed by one of job, hydra, all, but is by ''"),
        (("--info", "gpus=2"), "`--info` must be followed by one of all, config"),
        (("--resolve=yes",), "`--resolve` must stand alone"),
        (("-x",), "but is neither"),
    ],
)
def test_a_wrong_flag_is_refused_in_a_line(words: tuple[str, ...], told: str) -> None:
    assert told in refused(*words)


@pytest.mark.parametrize(
    ("word", "settled"),
    [
        *(("model=7B,13B", "model=7b,13b"), ("dtype=FP16", "dtype=fp16")),
        *(("engine=Reference", "engine=reference"), ("dataset=GSM8K", "dataset=gsm8k")),
        *(("model.name=Nano", "model.name=nano"), ("telemetry=NVML", "telemetry=nvml")),
        *(("gpu=RTX-4090", "gpu=rtx4090"), ("gpu=H100,v100", "gpu=h100,v100")),
        *(("gpu=A100-80GB", "gpu=a100"), ("gpu=simulated-A100_40GB", "gpu=simulated-a100-40gb")),
        *(("gpu=NVIDIA H200", "gpu=h200"), ("gpu=CPU", "gpu=cpu"), ("gpu=k80", "gpu=k80")),
        *(("results=Results", "results=Results"), ("gpus=1,2", "gpus=1,2")),
    ],
)
def test_a_name_in_other_letters_is_the_one_that_there_is(word: str, settled: str) -> None:
    assert settled_word(word) == settled


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("dtype", {"fp32", "fp16", "bf16"}),
        ("quantization", {"none", "int8", "fp8", "int4"}),
        ("retry", {"null", "interrupted", "failed"}),
        ("cluster.executor", {"local", "slurm"}),
    ],
)
def test_the_choices_of_a_key_are_those_of_its_comment_and_each_is_taken(
    key: str, values: set[str]
) -> None:
    assert set(choices(key)) - {"auto"} == values
    assert not any(" " in choice for name in settable() for choice in choices(name))
    for value in choices(key):
        require_choice(key, value)


def test_a_model_in_capitals_is_the_same_run_and_twice_is_twice() -> None:
    (point,) = read_points(["cluster=local", "model=NANO"])
    assert point.config["model"]["name"] == "nano"
    assert "must have each value once" in refused("cluster=local", "model=7b,7B")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        *(("model:7b", "model=7b"), ("--model=7b", "model=7b"), ("7b", "model=7b")),
        *(("plan", "plan=true"), ("--plan", "plan=true"), ("promts:4", "prompts=4")),
        *(("status", "python -m launcher.status"), ("figure4_watts", "experiment=figure4_watts")),
    ],
)
def test_a_word_of_another_form_is_told_as_it_is_typed_here(word: str, meant: str) -> None:
    assert refused(word).endswith(f"; did you mean {meant}?")


def test_a_value_that_names_no_key_is_told_in_the_project_s_words() -> None:
    assert refused("gpus=${gpuss}") == (
        "`gpus` must take the value of a key that there is, but takes that of 'gpuss'; "
        "did you mean gpus?"
    )


def test_points_that_are_the_same_run_in_other_words_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["cluster=local", "temperature=0,0.0", "plan=true", f"results={tmp_path}/r"])
    assert code == 0
    printed = capsys.readouterr().out
    assert "note: 1 point is given more than once" in printed
    assert "temperature=0.0" in printed


def test_points_of_one_run_that_would_be_measured_otherwise_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["cluster=local", "min_window_s=0,5", "plan=true", f"results={tmp_path}/r"])
    printed = capsys.readouterr().err
    assert code == 2
    assert "min_window_s=0" in printed
    assert "min_window_s=5" in printed


def test_a_newline_in_a_value_is_one_line_of_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cluster=local", "gpu='a\n\x1b[2Jb'", "plan=true"]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "\x1b" not in printed


@pytest.mark.parametrize("path", ["~", "~/x", "~/a b"])
def test_a_home_needs_no_quotes(path: str) -> None:
    (point,) = read_points(["cluster=local", f"results={path}"])
    assert point.config["results"] == path


def test_a_home_in_a_list_needs_no_quotes() -> None:
    points = read_points(["cluster=local", "weights=~/a,~/b"])
    assert [point.config["weights"] for point in points] == ["~/a", "~/b"]


@pytest.mark.parametrize(("word", "listed"), [("results", False), ("plan", False), ("gpus", True)])
def test_a_list_is_offered_for_what_can_be_swept_alone(word: str, listed: bool) -> None:
    message = refused("cluster=local", f"{word}=1", f"{word}=2")
    assert (f", or as one list: {word}=A,B" in message) is listed
