"""No pass for garbage looks through what lasts."""

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry.lasting import lasting


def words_of(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@pytest.fixture
def looking() -> Iterator[None]:
    yield
    gc.enable()


def test_nothing_is_looked_through_while_what_lasts_is_loaded(looking: None) -> None:
    with lasting():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_load_that_fails_leaves_garbage_to_be_looked_for(looking: None) -> None:
    with pytest.raises(ModuleNotFoundError), lasting():
        raise ModuleNotFoundError
    assert gc.isenabled()


def test_who_looked_for_no_garbage_before_looks_for_none_after(looking: None) -> None:
    gc.disable()
    with lasting():
        pass
    assert not gc.isenabled()


ARROW = """
import sys
import pyarrow as pa
from telemetry.lasting import spare_pandas
{spared}
pa.array([1])
print("pandas" in sys.modules, pa.table({{"a": [1]}}).to_pandas()["a"].sum())
"""


@pytest.mark.parametrize(("spared", "loads"), [("", True), ("spare_pandas()", False)])
def test_arrow_s_first_list_loads_pandas_unless_it_is_spared_and_a_table_still_becomes_one_of_its(
    spared: str, loads: bool
) -> None:
    assert words_of(ARROW.format(spared=spared)) == [f"{loads} 1"]


CALLED = """
import sys
from telemetry.lasting import is_own
from telemetry.merge.__main__ import main
for arguments in (["."], None):
    sys.argv = ["merge", "."]
    main(arguments)
    print(is_own(), file=sys.stderr)
"""


def test_a_command_that_another_program_calls_leaves_that_program_as_it_is(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CALLED], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert [word for word in done.stderr.split() if word in ("True", "False")] == ["False", "True"]
