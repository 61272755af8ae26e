"""Words are completed as they are typed: verbs, keys, options and folders, in a real bash."""

import os
import pty
import re
import resource
import select
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

from launcher.completion import FILES, FOLDERS, RUN_FLAGS, complete, flags_of, offers, script, split
from launcher.config.command_line import _FLAGS
from launcher.config.listing import group_options, groups, settable
from telemetry.next_line import VERBS
from tests.conftest import REPOSITORY

# What a key press may take: about what a hand notices. Time of the processor, which is as much on a
# loaded machine, but for what others push out of its caches: the shortest of some counts.
MOST_S: Final = 0.3
TRIES: Final = 5
PATIENCE_S: Final = 30.0


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PATH that has the word, as an installation puts it there."""
    folder = tmp_path_factory.mktemp("bin")
    word = folder / "joulegrid"
    word.write_text(
        f"#!{sys.executable}\nimport sys\nfrom launcher.console import main\nsys.exit(main())\n"
    )
    word.chmod(0o755)
    return folder


@pytest.fixture
def environment(program: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{program}:{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        "TERM": "dumb",
    }


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("joulegrid au", ["audit"]),
        ("/opt/venv/bin/joulegrid au", ["audit"]),
        ("joulegrid run batch", ["batch_size="]),
        ("joulegrid run mod", ["model="]),
        ("joulegrid run model=7", ["model=7b"]),
        ("joulegrid run -m model=7b,1", ["model=7b,13b"]),
        ("joulegrid run 'model=7b,1", ["model=7b,13b"]),
        ("joulegrid run -m model=7b,7", []),
        ("joulegrid run model=7b mod", []),
        ("joulegrid run compose=", ["compose=quick", "compose=hydra"]),
        ("joulegrid run plan=t", ["plan=true"]),
        ("joulegrid run gpu=h2", ["gpu=h200"]),
        ("joulegrid run clus", ["cluster=", "cluster."]),
        ("joulegrid run cluster.slurm.part", ["cluster.slurm.partition="]),
        ("joulegrid run results=", [FOLDERS]),
        ("joulegrid run --help=samp", ["--help=sampling"]),
        ("joulegrid run --help batch", ["batch_size"]),
        ("joulegrid run --mul", ["--multirun"]),
        ("joulegrid status --w", ["--watch"]),
        ("joulegrid audit results --st", ["--strict"]),
        ("joulegrid audit ", [FOLDERS]),
        ("joulegrid stage gsm8k alpaca_", ["alpaca_seed", "alpaca_task"]),
        ("joulegrid stage --from ", [FILES]),
        ("joulegrid completion z", ["zsh"]),
        ("joulegrid no-verb x", []),
        ("joulegrid run 'a\\", []),
        ("", []),
    ],
)
def test_what_is_offered_for(line: str, offered: list[str]) -> None:
    assert offers(split(line)) == offered


def test_a_campaign_s_name_is_offered_of_the_folder_that_was_named(tmp_path: Path) -> None:
    (tmp_path / "campaigns" / "20260101-1").mkdir(parents=True)
    assert offers(["status", str(tmp_path), "--campaign", "2026"]) == ["20260101-1"]
    assert offers(["status", str(tmp_path / "none"), "--campaign", ""]) == []


def test_every_group_and_key_is_offered() -> None:
    alone = set(offers(["run", ""]))
    assert {f"{name}=" for name in groups()} <= alone
    assert {f"{name}=" for name in settable() if "." not in name} <= alone
    nested = {name for name in settable() if "." in name}
    assert {f"{name}=" for name in nested} == {
        each for name in groups() for each in offers(["run", f"{name}."])
    }


@pytest.mark.parametrize("group", groups())
def test_every_option_of_a_group_is_offered(group: str) -> None:
    assert offers(["run", f"{group}="]) == [f"{group}={each}" for each in group_options(group)]


def test_the_flags_of_a_run_are_those_that_the_launcher_takes() -> None:
    assert set(RUN_FLAGS) == set(_FLAGS)


@pytest.mark.parametrize(
    "module", [module for module in VERBS if module != "launcher" and find_spec(module)]
)
def test_a_verb_s_flags_are_those_of_its_help(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    )
    usage = done.stdout.partition("\n\n")[0]
    assert {*re.findall(r"--[\w-]+", usage), "--help"} == set(flags_of(module))


def test_it_answers_before_a_hand_waits(environment: dict[str, str]) -> None:
    took, said = [], ""
    for _ in range(TRIES):
        begun = processor_s()
        done = subprocess.run(
            ["joulegrid", "complete", "--", "joulegrid run model="],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        took.append(processor_s() - begun)
        said = done.stdout
    assert "model=7b" in said.splitlines()
    assert min(took) < MOST_S


def processor_s() -> float:
    """What the children of this process that have ended took of the processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_it_answers_without_hydra() -> None:
    code = (
        "import sys; from launcher.completion import complete; "
        "complete(['--', 'joulegrid run model=']); "
        "print(sorted({'hydra', 'omegaconf', 'yaml', 'torch', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_line_of_nothing_is_answered_with_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert complete([]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("joulegrid au", ["audit"]),
        # What stands before = is another word to bash.
        ("joulegrid run model=1", ["13b"]),
        ("joulegrid run model=7b,1", ["7b,13b"]),
        ("joulegrid run results=my", ["my results"]),
        ("joulegrid audit my", ["my results"]),
        ("joulegrid stage --from no", ["notes.txt"]),
    ],
)
def test_bash_is_told(
    line: str, offered: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "my results").mkdir()
    (tmp_path / "notes.txt").touch()
    asked = (
        f"{script('bash')}\ncomplete -p joulegrid >/dev/null || exit 9\n"
        'COMP_LINE="$1" COMP_POINT=${#1}; _joulegrid joulegrid; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", asked, "bash", line],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.stdout.splitlines() == offered


def test_a_tab_completes_in_a_bash_that_somebody_types_in(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "my results").mkdir()
    (tmp_path / "rc").write_text("source <(joulegrid completion bash)\nPS1=READY\n")
    terminal, shell_s = pty.openpty()
    shell = subprocess.Popen(
        ["bash", "--noprofile", "--rcfile", str(tmp_path / "rc"), "-i"],
        stdin=shell_s,
        stdout=shell_s,
        stderr=shell_s,
        env=environment,
        cwd=tmp_path,
        start_new_session=True,
    )
    os.close(shell_s)
    try:
        read_until(terminal, "READY")
        os.write(terminal, b"joulegrid run clust\t")
        read_until(terminal, "joulegrid run cluster")
        os.write(terminal, b"=dev\t")
        read_until(terminal, "devcluster")
        os.write(terminal, b"results=m\t")
        read_until(terminal, "my\\ results")
    finally:
        shell.kill()
        shell.wait()
        os.close(terminal)


def read_until(terminal: int, text: str) -> str:
    """What a terminal shows until a text is there."""
    shown = ""
    ends = time.monotonic() + PATIENCE_S
    while text not in shown:
        ready, _, _ = select.select([terminal], [], [], max(0.0, ends - time.monotonic()))
        assert ready, shown
        # It rings where several words begin so.
        shown += os.read(terminal, 4096).decode().replace("\a", "")
    return shown


def test_zsh_is_told_by_the_same_function() -> None:
    text = script("zsh")
    assert "bashcompinit" in text.splitlines()[0]
    assert text.count("complete -o nospace -F _joulegrid joulegrid") == 1
    shell = shutil.which("zsh")
    if shell is None:
        # What zsh runs of it is what bash runs: its grammar at least is bash's, too.
        shell = "bash"
        text = text.partition("\n")[2]
    subprocess.run([shell, "-n"], input=text, text=True, check=True)
