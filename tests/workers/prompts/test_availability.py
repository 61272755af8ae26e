"""What the launch would refuse of a run's prompts is known without starting anything."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from workers.prompts.availability import prompts_fault
from workers.prompts.corpus import CORPORA
from workers.prompts.selection import select
from workers.prompts.source import PromptSource, identify
from workers.prompts.staging import stage


def resolve(folder: Path, corpus: str = "gsm8k", path: Path | None = None) -> PromptSource:
    return identify(
        corpus, source="auto", path=path, columns=None, cache=folder, local=True, prompt_len=8
    )


def write(folder: Path, *lines: object, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def refused(source: PromptSource, prompts: int) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        select(source, prompts=prompts, seed=1)
    return str(caught.value)


def test_more_prompts_than_a_sample_has_are_told_as_the_launch_tells_them(tmp_path: Path) -> None:
    sample = resolve(tmp_path)
    assert prompts_fault(sample, 64) is None
    fault = prompts_fault(sample, 5000)
    assert fault == "`prompts` must be at most 64 for gsm8k-sample, but is 5000 instead"
    assert fault == refused(sample, 5000)


def test_a_file_s_rows_without_text_do_not_count(tmp_path: Path) -> None:
    path = write(tmp_path, {"question": "a"}, {"question": " "}, {"question": "b"})
    own = resolve(tmp_path, path=path)
    assert prompts_fault(own, 2) is None
    assert prompts_fault(own, 3) == refused(own, 3)


@pytest.mark.parametrize("row", [{"text": "a"}, ["a"], {"question": None}])
def test_a_malformed_file_is_told_as_the_launch_tells_it(tmp_path: Path, row: object) -> None:
    own = resolve(tmp_path, path=write(tmp_path, row))
    assert prompts_fault(own, 1) == refused(own, 1)


def test_a_staged_copy_is_counted_by_its_record_and_missed_when_it_goes(tmp_path: Path) -> None:
    stage(CORPORA["gsm8k"], tmp_path, origins=[write(tmp_path, {"question": "a"})])
    staged = resolve(tmp_path)
    assert prompts_fault(staged, 1) is None
    fault = prompts_fault(staged, 2)
    assert fault is not None
    assert fault.startswith("`prompts` must be at most 1 for gsm8k-")
    (tmp_path / "gsm8k").rename(tmp_path / "gone")
    other = PromptSource(**{**vars(staged), "dataset": "gsm8k-00000000"})
    assert "was replaced or removed" in str(prompts_fault(other, 1))


def test_what_is_made_up_never_runs_out_and_the_hub_is_not_asked(tmp_path: Path) -> None:
    assert prompts_fault(resolve(tmp_path, "fixed"), 10**6) is None
    hub = identify("gsm8k", source="hub", path=None, columns=None, cache=tmp_path, local=False)
    assert prompts_fault(hub, 10**6) is None


def test_neither_torch_nor_datasets_is_needed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from workers.prompts.source import identify;"
        "from workers.prompts.availability import prompts_fault;"
        "source = identify('gsm8k', source='auto', path=None, columns=None,"
        " cache=Path(sys.argv[1]), local=True);"
        "print(prompts_fault(source, 65), {'torch', 'datasets'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith("but is 65 instead set()")
