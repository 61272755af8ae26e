"""The command line: what it expands to, and one clear line for what is not allowed."""

from pathlib import Path

import pytest

from launcher.__main__ import main
from launcher.config.command_line import auto_cluster, read_points
from launcher.config.errors import BadInputError
from launcher.config.listing import group_options
from workers.planning.families import known_models

pytestmark = pytest.mark.grids


def refused(*words: str) -> str:
    with pytest.raises(BadInputError) as caught:
        read_points(words)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_paper_s_command_is_valid_as_typed() -> None:
    points = read_points(["-m", "model=7b,13b,65b", "gpus=1,8,32"])
    assert [(p.config["model"]["name"], p.config["gpus"]) for p in points] == [
        (model, gpus) for model in ("7b", "13b", "65b") for gpus in (1, 8, 32)
    ]


@pytest.mark.parametrize("flag_at", [0, 1, 2])
def test_the_multirun_flag_may_stand_anywhere(flag_at: int) -> None:
    words = ["model=nano,micro", "gpus=1"]
    words.insert(flag_at, "-m")
    assert len(read_points(words)) == 2


def test_a_sweep_needs_no_flag() -> None:
    assert len(read_points(["model=nano,micro"])) == 2


def test_a_sweep_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    read_points(["gpus=1,2"])
    assert list(tmp_path.iterdir()) == []


def test_auto_is_slurm_where_sbatch_is_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert auto_cluster() == "local"
    assert read_points(["cluster=auto"])[0].config["cluster"]["name"] == "local"
    (tmp_path / "sbatch").write_text("#!/bin/sh\n")
    (tmp_path / "sbatch").chmod(0o755)
    assert read_points([])[0].config["cluster"]["name"] == "slurm"


def test_an_unknown_key_is_named_with_the_way_to_all_there_are() -> None:
    message = refused("foo=1")
    assert message.startswith("`foo` must be one of ")
    assert message.endswith(" keys, but is none; python -m launcher --help lists them")


def test_an_unknown_nested_key_is_named() -> None:
    assert "dataset.pth" in refused("dataset.pth=3")


@pytest.mark.parametrize(
    "words",
    [
        ("cluster.timeout=3",),
        ("cluster.timeout=3,4",),
        ("-m", "model=nano,micro", "cluster.timeout=3"),
        ("-m", "model=nano,micro", "cluster.timeout=3,4"),
        ("experiment=demo", "cluster.timeout=3"),
        # As an experiment's file sets them.
        ("hydra.sweeper.params={model: 'nano,micro', cluster.timeout: 3}",),
        ("hydra.sweeper.params={model: 'nano,micro', cluster.timeout: '3,4'}",),
    ],
)
def test_an_unknown_key_beside_a_sweep_is_named_and_not_the_sweep(words: tuple[str, ...]) -> None:
    message = refused(*words)
    assert message.startswith("`cluster.timeout` must be one of ")
    assert " keys of `cluster`, but is none; did you mean cluster.timeout_min? (" in message


@pytest.mark.parametrize(
    ("word", "nearest"),
    [
        ("batch_sise=3", "batch_size"),
        ("clustr=local", "cluster"),
        ("cluster.partition=gpu", "cluster.slurm.partition"),
        ("engine.quantization=int8", "quantization"),
    ],
)
def test_an_unknown_key_is_shown_the_nearest(word: str, nearest: str) -> None:
    assert f"; did you mean {nearest}" in refused("model=nano,micro", word)


def test_a_key_that_is_like_no_other_is_shown_none() -> None:
    message = refused("model=nano,micro", "cluster.nonsense=3")
    assert message.endswith("but is none; python -m launcher --help cluster lists them")


def test_a_key_of_another_option_is_told_whose_it_is() -> None:
    message = refused("model=nano,micro", "telemetry=nvml", "telemetry.dcgm_address=here")
    assert message == (
        "`telemetry.dcgm_address` must be set for an option of `telemetry` that has it "
        "(auto, dcgm), but another was chosen"
    )


def test_a_key_below_a_value_is_refused_beside_a_sweep() -> None:
    message = refused("model=nano,micro", "gpus.each=2")
    assert message.startswith("`gpus.each` must be `gpus` alone")


def test_an_experiment_s_unknown_option_is_named_with_all_there_are() -> None:
    message = refused("hydra.sweeper.params={gpus: '1,2', model: 'nano,9b'}")
    assert message.startswith("`model` must be one of ")
    assert ", but is '9b' instead" in message


@pytest.mark.parametrize("group", ["model", "dataset", "engine", "cluster", "telemetry"])
def test_an_unknown_option_is_named_with_all_there_are_or_the_way_to_them(group: str) -> None:
    message = refused(f"{group}=9b")
    options = ", ".join(group_options(group))
    listed = message.startswith(f"`{group}` must be one of {options}, ")
    assert listed or message.endswith(f"python -m launcher --help {group} lists them")
    assert "'9b'" in message


def test_one_bad_option_in_a_sweep_refuses_the_sweep() -> None:
    assert "'9b'" in refused("model=nano,9b")


@pytest.mark.parametrize("word", ["gpus", "gpus=[", "+foo=1", "~gpus", "gpus=1,2,"])
def test_a_malformed_word_is_quoted(word: str) -> None:
    assert word.strip("+~=[").split("=")[0] in refused(word)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("gpus=0", "`gpus` must be a whole number of at least 1 or auto, but is 0 instead"),
        ("gpus=-1", "`gpus` must be a whole number of at least 1 or auto, but is -1 instead"),
        ("gpus=3.5", "`gpus` must be a whole number of at least 1 or auto, but is 3.5 instead"),
        ("gpus=many", "`gpus` must be a whole number of at least 1 or auto, but is 'many' instead"),
        (
            "batch_size=0",
            "`batch_size` must be a whole number of at least 1 or auto, but is 0 instead",
        ),
        (
            "max_gen_len=0",
            "`max_gen_len` must be a whole number of at least 1 or auto, but is 0 instead",
        ),
        (
            "prompts=true",
            "`prompts` must be a whole number of at least 1 or auto, but is True instead",
        ),
        ("repeats=0", "`repeats` must be a whole number of at least 1 or auto, but is 0 instead"),
        ("seed=-1", "`seed` must be a whole number of at least 0, but is -1 instead"),
        (
            "seed=9223372036854775808",
            "`seed` must be a whole number of at most 9223372036854775807",
        ),
        ("cluster.gpus_per_node=9999", "`cluster.gpus_per_node` must be a whole number of at most"),
        ("cluster.threads=9999", "`cluster.threads` must be a whole number of at most 4096"),
        *(
            (
                f"cluster.core_gflops={rate}",
                f"`cluster.core_gflops` must be a number from 0.001 to 1e+06, but is {told}",
            )
            for rate, told in (("nan", "nan"), ("inf", "inf"), ("0", "0"), ("1e-300", "1e-300"))
        ),
        ("telemetry.idle_s=true", "`telemetry.idle_s` must be a number of seconds from 0 to 3600"),
        ("top_p=1.5", "`top_p` must be a number above 0 and at most 1, but is 1.5 instead"),
        ("temperature=-1", "`temperature` must be a number at least 0 and at most 100, "),
        ("power_cap_w=0", "`power_cap_w` must be a number above 0"),
        ("dtype=fp8", "`dtype` must be one of fp32, fp16, bf16, auto, but is 'fp8' instead"),
        ("gpu=k80", "`gpu` must be auto, cpu, a board's name,"),
        ("gpu=simulated-rtx409", "did you mean simulated-rtx4090"),
        ("gpu=a100", "NVIDIA's driver must be loaded"),
        ("telemetry=host", "`telemetry` must be simulated for a simulated GPU"),
        ("telemetry.period_ms=1", "`telemetry.period_ms` must be a whole number of at least 10"),
        ("telemetry.idle_s=-1", "`telemetry.idle_s` must be a number of seconds from 0"),
        ("warmup_batches=-1", "`warmup_batches` must be a whole number of at least 0"),
        ("max_warmup_batches=0", "`max_warmup_batches` must be a whole number of at least 1"),
        ("warmup_spread=two", "`warmup_spread` must be a number at least 0 and at most 1"),
        ("max_warmup_s=-1", "`max_warmup_s` must be a number at least 0 and at most 3600"),
        ("min_window_s=9999", "`min_window_s` must be a number at least 0 and at most 3600"),
        ("cluster.timeout_min=0", "`cluster.timeout_min` must be a whole number from 1 to 525600"),
        ("cluster.executor=pbs", "`cluster.executor` must be one of local, slurm"),
        ("results=''", "`results` must be a folder"),
        ("tokenizer=nowhere.model", "nowhere.model"),
        ("tokenizer=[1,2]", "`tokenizer` must be a file or null, but is [1, 2] instead"),
        ("dataset.path=[1]", "`dataset.path` must be a file or null, but is [1] instead"),
        ("weights=[1]", "`weights` must be random or a checkpoint's folder, but is [1] instead"),
        ("weights={a:1}", "`weights` must be random or a checkpoint's folder, but is {'a': 1}"),
        ("weights_digest=[1]", "`weights_digest` must be sha256- and 16 hex digits or null"),
        ("compose=foo", "`compose` must be one of quick, hydra, but is 'foo' instead"),
        ("compose=[quick]", "`compose` must be one of quick, hydra, but is ['quick'] instead"),
        ("dataset.path=nowhere.jsonl", "nowhere.jsonl"),
        ("dataset=file", "path"),
        ("prompts=100000", "`prompts` must be at most"),
        ("model.name=9b", f"`model` must be one of {len(known_models())} models, but is '9b'"),
        ("model.name=[1]", "`model.name` must be a name, but is [1] instead"),
        ("dataset.name=[1]", "`dataset.name` must be a name, but is [1] instead"),
        ("engine.name=warp", "`engine` must be one of"),
    ],
)
def test_a_bad_value_gets_one_line_exit_code_2_and_leaves_nothing(
    word: str,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code = main(["cluster=local", "allow_dirty=true", word])
    printed = capsys.readouterr().err
    assert code == 2, printed
    assert printed.startswith("joulegrid: ")
    assert printed.count("\n") == 1
    assert expected in printed
    assert list(tmp_path.iterdir()) == []


def test_results_that_cannot_be_a_folder_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    code = main(["cluster=local", "allow_dirty=true", f"results={tmp_path}/file/results"])
    assert code == 2
    assert "`results` must be a folder that can be written" in capsys.readouterr().err


def test_a_grid_without_a_point_that_can_run_exits_with_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["cluster=local", "model=13b", "gpus=16", f"results={tmp_path}/r"])
    assert code == 3
    printed = capsys.readouterr()
    assert "no point of this grid can run here" in printed.err
    assert "40 = 2 x 16 + 8" in printed.out
    assert not (tmp_path / "r").exists()


def test_an_unknown_key_beside_a_sweep_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-m", "model=nano,micro", "cluster.nonsense=3", "plan=true"]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("joulegrid: `cluster.nonsense` must be one of ")
    assert printed.count("\n") == 1


def test_hydra_s_own_flags_still_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--cfg", "job", "model=micro"]) == 0
    assert "name: micro" in capsys.readouterr().out
