"""Looks run side by side, each bounded in time, and none takes another along."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from launcher.doctor.examination import Probe, examine
from launcher.doctor.observation import Observation, Standing, missing, there, unseen

COSTS = "Energy is null."


def probe(name: str, look: object, patience_s: float = 20.0, silence: str | None = None) -> Probe:
    assert callable(look)
    return Probe(name=name, look=look, costs=COSTS, patience_s=patience_s, silence_stops=silence)


def well() -> Sequence[Observation]:
    return [there("well", "all of it")]


def hang() -> Sequence[Observation]:
    time.sleep(600)
    return [there("hang", "never")]


def test_what_is_found_comes_in_the_order_of_the_list_whoever_answers_first() -> None:
    def slow() -> Sequence[Observation]:
        time.sleep(0.3)
        return [there("slow", "one"), there("slow", "two")]

    found = examine([probe("slow", slow), *[probe("well", well) for _ in range(20)]])
    assert [one.name for one in found] == ["slow", "slow", *["well"] * 20]
    assert found[1].found == "two"


def test_a_look_that_hangs_is_given_up_and_is_not_shown_as_there() -> None:
    before_s = time.monotonic()
    hung, fine = examine([probe("hang", hang, 0.5), probe("well", well)])
    assert time.monotonic() - before_s < 5
    assert hung.standing is Standing.UNSEEN
    assert hung.found == "no answer within 0.5 s"
    assert hung.costs == COSTS
    assert fine.standing is Standing.THERE


def test_where_silence_is_the_fault_it_stops_a_measurement_with_what_to_do() -> None:
    (hung,) = examine([probe("hang", hang, 0.3, "restart it")])
    assert (hung.standing, hung.stops, hung.remedy) == (Standing.MISSING, True, "restart it")


def test_many_that_hang_take_no_longer_than_their_shares_of_the_places() -> None:
    before_s = time.monotonic()
    assert len(examine([probe("hang", hang, 0.5) for _ in range(16)])) == 16
    assert time.monotonic() - before_s < 6


def test_what_a_look_started_ends_with_it(tmp_path: Path) -> None:
    def leaves_a_child() -> Sequence[Observation]:
        child = subprocess.Popen(["sleep", "600"])
        (tmp_path / "pid").write_text(str(child.pid))
        return hang()

    examine([probe("hang", leaves_a_child, 1.0)])
    pid = int((tmp_path / "pid").read_text())
    until_s = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until_s:
        # It is whoever adopted it who reaps it.
        if "Z" in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3]:
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (OSError(5, "Input/output error"), "Input/output error"),
        (RuntimeError("the driver is gone"), "the driver is gone"),
        (ModuleNotFoundError("no", name="hydra"), "the package hydra is not installed"),
        (TypeError("a slip"), "TypeError: a slip"),
        (KeyError("lacking"), "KeyError: 'lacking'"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_whatever_a_look_raises_is_the_reason_why_nobody_knows(
    fault: BaseException, words: str
) -> None:
    def look() -> Sequence[Observation]:
        raise fault

    (seen, fine) = examine([probe("faulty", look), probe("well", well)])
    assert seen.standing is Standing.UNSEEN
    assert words in seen.found
    assert fine.found == "all of it"


@pytest.mark.parametrize("end", [lambda: os._exit(0), lambda: os.kill(os.getpid(), signal.SIGKILL)])
def test_a_look_that_crashes_takes_nothing_along(end: object) -> None:
    def look() -> Sequence[Observation]:
        assert callable(end)
        end()
        return well()

    (seen, fine) = examine([probe("crash", look), probe("well", well)])
    assert (seen.standing, seen.found) == (Standing.UNSEEN, "the look at it crashed")
    assert fine.standing is Standing.THERE


def test_what_a_library_prints_is_on_nobody_s_screen(capfd: pytest.CaptureFixture[str]) -> None:
    def loud() -> Sequence[Observation]:
        print("python is loud")  # noqa: T201
        os.write(1, b"C is loud")
        os.write(2, b"C is loud")
        return well()

    examine([probe("loud", loud)])
    assert capfd.readouterr() == ("", "")


def test_what_is_missing_or_unseen_says_what_it_costs_and_nothing_else_does() -> None:
    with pytest.raises(ValueError, match="`costs` must be told"):
        Observation(name="power", standing=Standing.MISSING, found="none")
    with pytest.raises(ValueError, match="`costs` must be told"):
        Observation(name="power", standing=Standing.THERE, found="all", costs=COSTS)
    with pytest.raises(ValueError, match="`stops` must be false"):
        Observation(name="power", standing=Standing.UNSEEN, found="none", costs=COSTS, stops=True)


def test_what_comes_from_the_machine_cannot_steer_a_terminal() -> None:
    seen = missing("disk", "of \x1b[2J\nserver", costs=COSTS)
    assert seen.found == "of \\x1b[2J server"
    assert unseen("disk", "\u202e", costs=COSTS).found == "\\u202e"
