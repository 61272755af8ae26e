"""What two sides say of the paper's claims, side by side, in every form of a comparison."""

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.compare.__main__ import main
from analysis.compare.claims import claim_lines
from telemetry.command import ExitCode
from telemetry.merge.attempt import merge_attempt
from telemetry.record.files import write_json
from telemetry.record.seal import seal_attempt
from tests.analysis.abstracts.built import V1
from tests.analysis.claims.conftest import named
from tests.analysis.compare.conftest import said
from tests.support.records import Plan, build_run

SHARDS = "energy-per-token-grows-with-shards"


def board(results: Path, gpu: str) -> None:
    """Two repeats on one GPU and on two: a token takes 2.5 times as much on two."""
    for gpus in (1, 2):
        for repeat in range(2):
            spec = {"gpu": gpu, "gpus": gpus, "gpus_per_node": gpus, "repeat": repeat}
            plan = Plan(spec=spec, decode_s=1.5 + 0.02 * repeat, gpu=named(gpu))
            build_run(results, plan)


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`a` on H200s, `b` on H100s."""
    place = tmp_path_factory.mktemp("claims")
    board(place / "a", "h200")
    board(place / "b", "h100")
    return place


def claims(place: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main([str(place / "a"), str(place / "b"), "--json", *words]) == ExitCode.DONE
    found = said(capsys.readouterr().out)["claims"]
    return {f"{one['claim']}, {one['by_what']}": one for one in found}


def test_each_side_s_verdict_of_a_claim_is_its_own_board_s(
    sides: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = claims(sides, capsys)
    one = found[f"{SHARDS}, in general"]
    (a,), (b,) = one["sides"]["A"], one["sides"]["B"]
    assert (a["gpu"], a["verdict"]) == ("h200", "reproduced")
    assert (b["gpu"], b["verdict"]) == ("h100", "reproduced")
    assert a["value"] == pytest.approx(2.5)
    assert a["low"] < 2.5 < a["high"]
    told = ["random weights", "another board than the paper's", "throttling not recorded"]
    assert a["labels"] == told
    assert one["agree"] is True
    paper = found[f"{SHARDS}, the paper's conditions"]
    assert [each["verdict"] for each in (*paper["sides"]["A"], *paper["sides"]["B"])] == [
        "cannot tell",
        "cannot tell",
    ]
    assert paper["agree"] is None


def test_the_terminal_and_the_verdict_s_page_say_the_same_of_the_claims(
    sides: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    main([str(sides / "a"), str(sides / "b"), "--out", str(out), "--all"])
    told = " ".join(capsys.readouterr().out.split())
    line = f"{SHARDS}: A h200 reference reproduced; B h100 reference reproduced: they agree"
    assert line in told
    assert line in (out / "verdict.md").read_text()


def test_a_claim_that_was_changed_in_a_verdict_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    for name in "ab":
        build_run(tmp_path / name)
    main([str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(out)])
    assert main(["--check", str(out)]) == ExitCode.DONE
    capsys.readouterr()
    path = out / "verdict.json"
    content = json.loads(path.read_text())
    claim = next(one for one in content["claims"] if one["sides"]["A"])
    claim["sides"]["A"][0]["verdict"] = "reproduced"
    path.write_text(json.dumps(content))
    assert main(["--check", str(out)]) == ExitCode.FAILED
    assert "comes out as cannot tell" in capsys.readouterr().out


def test_sides_that_can_tell_and_differ_say_so() -> None:
    def side(verdict: str) -> list[dict[str, str]]:
        return [{"gpu": "h200", "engine": "fast", "verdict": verdict}]

    row = {"claim": "it-is-so", "by_what": "in general", "agree": False}
    both = {"A": side("reproduced"), "B": side("not reproduced")}
    *_, last = claim_lines([{**row, "sides": both}])
    assert last == "it-is-so: A h200 fast reproduced; B h200 fast not reproduced: THEY DIFFER"


def test_two_drivers_in_one_folder_are_two_sides_named_by_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "r"
    for index, driver in enumerate(("570.1", "580.2")):
        for repeat in range(2):
            spec = {"repeat": 2 * index + repeat}
            build_run(results, Plan(spec=spec, gpu={"driver": driver}))
    assert main([str(results), "--by", "driver", "--json"]) == ExitCode.DONE
    told = said(capsys.readouterr().out)
    assert [side["name"] for side in told["sides"]] == ["570.1", "580.2"]
    assert len(told["cells"]) == 1


def test_two_centers_in_one_folder_are_two_sides_named_by_slurm_s_cluster(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "r"
    for index, name in enumerate(("gamma", "alpha")):
        run = build_run(results, Plan(spec={"repeat": index}, merged=False))
        write_json(run.attempt(1).submitted, {"slurm_cluster": name})
        merge_attempt(run, run.attempt(1))
        seal_attempt(run, run.attempt(1))
    assert main([str(results), "--by", "center", "--json"]) == ExitCode.DONE
    told = said(capsys.readouterr().out)
    assert [side["name"] for side in told["sides"]] == ["alpha", "gamma"]


def later(results: Path, gpu: str, slower: float) -> None:
    """All models of arXiv 2501.08219 v1 on one task, each slower than the one before by so much."""
    for place, model in enumerate(V1):
        for repeat in range(2):
            spec = {"gpu": gpu, "model": model, "dataset": "squad-00000000", "repeat": repeat}
            decode_s = round(1.5 + slower * place + 0.01 * repeat, 2)
            own = {**spec, "engine": "transformers", "dtype": "fp16"}
            build_run(results, Plan(spec=own, decode_s=decode_s, gpu=named(gpu), steps=False))


def test_the_second_paper_s_claims_have_a_verdict_a_side_and_name_their_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later(tmp_path / "a", "h200", 0.3)
    later(tmp_path / "b", "h100", 0.0)
    found = claims(tmp_path, capsys)
    one = found["v1-model-moves-speed, its version's models and tasks"]
    assert (one["paper"], one["where"]) == ("arXiv 2501.08219 v1", "abstract")
    (a,), (b,) = one["sides"]["A"], one["sides"]["B"]
    assert (a["gpu"], a["verdict"]) == ("h200", "reproduced")
    assert (b["gpu"], b["verdict"]) == ("h100", "not reproduced")
    assert one["agree"] is False
    told = list(claim_lines(found.values()))
    assert any(line.startswith("claims of arXiv 2501.08219 v2, its abstract") for line in told)
    assert (
        "v1-model-moves-speed: A h200 transformers reproduced; "
        "B h100 transformers not reproduced: THEY DIFFER"
    ) in told
    # None of it is proof of the first paper's.
    assert not [key for key in found if key.endswith("in general")]


def test_sides_without_the_second_paper_s_work_say_nothing_of_it(
    sides: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not [one for one in claims(sides, capsys).values() if "paper" in one]
