"""No command line and no damaged folder brings a traceback, half a record or a wild terminal.

Every command is called with generated wrong words, and on a sealed record of which files are cut,
emptied, lost, swapped for folders, for links that lead to themselves and for other content.
"""

import contextlib
import hashlib
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import analysis.__main__
import analysis.audit.__main__
import launcher.__main__
import launcher.cancel
import launcher.stage
import launcher.status
import telemetry.merge.__main__
from telemetry.command import ExitCode, Main
from telemetry.record.files import write_json
from telemetry.record.paths import campaigns_folder
from tests.conftest import REPOSITORY
from tests.support.records import build_run
from tests.support.told import complaints

MAINS: Final[dict[str, Main]] = {
    "launcher": launcher.__main__.main,
    "launcher.status": launcher.status.main,
    "launcher.cancel": launcher.cancel.main,
    "launcher.stage": launcher.stage.main,
    "telemetry.merge": telemetry.merge.__main__.main,
    "analysis": analysis.__main__.main,
    "analysis.audit": analysis.audit.__main__.main,
}
READERS: Final = sorted(set(MAINS) - {"launcher", "launcher.stage"})
_SETTINGS: Final = settings(
    deadline=None,
    derandomize=True,
    database=None,
    # Which example failed stands in the message: to look for a smaller one takes minutes.
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

VALUES: Final = (
    *("", " ", "~", "~nobody-here", "..", "/dev/null", "/dev/null/x", "%j", "$HOME", "\\", "'"),
    *("\x1b[2J", "a\nb", "\u202ea", "\udc80", "\x00", "\x9b31m", "a=b", "a b", "ünï"),
    *("[", "{", "${", "${a}", "${oc.env:NOT_THERE}", "${gpus}", "[1,[2]]", "{a:{b:1}}"),
    *("glob(*)", "glob(zz*)", "range(1,0)", "range(0,1,0)", "range(1,1e9)", "interval(1,2)"),
    *("choice()", "choice(1,1)", "1,1", "1,2", "1,", "shuffle(1,2)", "null", "true", "-1"),
    *("1e400", "nan", "inf", "0", "9" * 400, "[" * 400, "nano", "random"),
)
KEYS: Final = (
    *("model", "dataset", "engine", "cluster", "telemetry", "experiment", "gpus", "gpu", "dtype"),
    *("prompts", "batch_size", "max_gen_len", "temperature", "seed", "power_cap_w", "weights"),
    *("weights_digest", "tokenizer", "results", "plan", "retry", "repeats", "dataset.path"),
    *("dataset.source", "dataset.columns", "dataset", "model.name", "cluster.slurm.setup"),
    *("cluster.executor", "cluster.timeout_min", "telemetry.gpu_fields", "telemetry.idle_s"),
    *("compose", "min_window_s", "hydra.mode", "hydra.sweeper.params", "nonsense", "gpus.each"),
)
FLAGS: Final = (
    *("-m", "--multirun", "--multirunn", "--run", "--cfg", "-c", "--info", "--version", "--help"),
    *(
        "--resolve",
        "--package",
        "-x",
        "--",
        "-",
        "--all",
        "--campaign",
        "--from",
        "--cache",
        "--out",
    ),
)
words = st.one_of(
    st.builds(
        "{}{}={}".format,
        st.sampled_from(("", "", "", "+", "++", "~")),
        *(st.sampled_from(KEYS), st.sampled_from(VALUES)),
    ),
    st.sampled_from(FLAGS),
    st.sampled_from(VALUES),
    st.text(max_size=12),
)


@pytest.fixture(autouse=True)
def no_network_and_no_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("JOULEGRID_CACHE", str(tmp_path / "cache"))
    # Of what runs nowhere nobody's end is waited for.
    monkeypatch.setattr("launcher.cancel._PATIENCE_S", 0.0)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def call(name: str, arguments: list[str]) -> tuple[int, str, str]:
    """Exit code, output and errors; whatever is raised is the test's to show."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = MAINS[name](arguments)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
    return code, out.getvalue(), err.getvalue()


def require_told(name: str, arguments: list[str], known: tuple[int, ...]) -> int:
    code, out, err = call(name, arguments)
    said = f"{name} {arguments!r}: {code}\n{out}\n{err}"
    assert code in known, said
    for text in (out, err):
        assert all(line.isprintable() for line in text.split("\n")), said
        assert "Traceback" not in text, said
    if code in (ExitCode.BAD_INPUT, ExitCode.NOTHING_DONE):
        assert len(complaints(err)) == 1, said
        assert len(err) > len("joulegrid: "), said
    return code


def content(folder: Path) -> dict[str, str]:
    """Every file below a folder, by its digest."""
    return {str(path.relative_to(folder)): _digest(path) for path in _below(folder)}


def _below(folder: Path) -> Iterator[Path]:
    for above, folders, files in os.walk(folder):
        yield from (Path(above) / name for name in (*folders, *files))


def _digest(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"


@settings(_SETTINGS, max_examples=80)
@given(arguments=st.lists(words, max_size=4))
def test_wrong_words_of_the_launcher_are_refused_in_a_line(
    tmp_path: Path, arguments: list[str]
) -> None:
    before = content(tmp_path)
    arguments = ["cluster=local", f"results={tmp_path}/r", "plan=true", *arguments]
    require_told("launcher", arguments, (0, 2, 3))
    assert content(tmp_path) == before


@pytest.mark.parametrize("name", sorted(set(MAINS) - {"launcher"}))
@settings(_SETTINGS, max_examples=30)
@given(arguments=st.lists(words, max_size=3))
def test_wrong_words_of_other_commands_are_refused_in_a_line(
    tmp_path: Path, name: str, arguments: list[str]
) -> None:
    before = content(tmp_path)
    # A dataset's own name would be staged.
    require_told(name, arguments, (0, 2, 3))
    assert content(tmp_path) == before


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("sealed") / "results"
    run = build_run(results)
    folder = campaigns_folder(results) / "20261127T000000Z-here-1"
    folder.mkdir(parents=True)
    write_json(folder / "campaign.json", {"points": [{"run_id": run.run_id}], "launcher": {}})
    write_json(folder / "array-001.json", {"members": []})
    return results


DAMAGES: Final[tuple[str | bytes, ...]] = (
    *("cut", "empty", "lost", "folder", "loop", "dangling"),
    *(b"[]", b"null", b"3", b"{}", b'"\x1b[2J"', b'{"\\u001b[2J": "\\u202e"}', b"\x00\xff\xfe"),
    *(b"\xef\xbb\xbf{}", b'{"points": 3}', b'{"state": "\\u001b[31m"}', b"[" * 5000, b"PAR1PAR1"),
)


def damage(path: Path, how: str | bytes) -> None:
    if isinstance(how, bytes):
        path.write_bytes(how)
    elif how == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
        if how == "folder":
            path.mkdir()
        elif how == "loop":
            path.symlink_to(path.name)
        elif how == "dangling":
            path.symlink_to("nowhere\x1b[2J")


@pytest.mark.parametrize("name", READERS)
@settings(_SETTINGS, max_examples=25)
@given(data=st.data())
def test_a_damaged_folder_is_told_in_words(
    tmp_path: Path, sealed: Path, name: str, data: st.DataObject
) -> None:
    results = tmp_path / "r\x1b[2J"
    # A name that steers the terminal is refused before anything is read: another takes its place.
    assert call(name, [str(results)])[0] == ExitCode.BAD_INPUT
    results = tmp_path / "results"
    shutil.rmtree(results, ignore_errors=True)
    shutil.copytree(sealed, results)
    files = sorted(path for path in results.rglob("*") if path.is_file())
    small = [path for path in files if path.suffix in {".json", ".jsonl"}]
    for path in data.draw(st.lists(st.sampled_from(small), min_size=1, max_size=2, unique=True)):
        damage(path, data.draw(st.sampled_from(DAMAGES)))
    if data.draw(st.booleans()):
        damage(
            data.draw(st.sampled_from([each for each in files if each not in small])),
            data.draw(st.sampled_from(DAMAGES)),
        )
    require_told(name, [str(results)], (0, 1, 3))


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("kind", "code"), [("nothing", 2), ("a file", 2), ("foreign", 3), ("loop", 3), ("empty", 3)]
)
def test_what_is_no_results_folder_exits_with_2_and_what_holds_none_with_3(
    tmp_path: Path, name: str, kind: str, code: int
) -> None:
    results = tmp_path / kind
    if kind == "a file":
        results.write_text("{}")
    elif kind == "loop":
        results.symlink_to(results)
    elif kind != "nothing":
        results.mkdir()
    if kind == "foreign":
        (results / "photo.jpg").write_bytes(b"\xff")
        (results / "folder").mkdir()
    before = content(tmp_path)
    require_told(name, [str(results)], (code,))
    assert content(tmp_path) == before


@pytest.mark.parametrize("name", sorted(MAINS))
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_is_not_utf8_gets_the_commands_own_code(
    tmp_path: Path, sealed: Path, name: str, encoding: str
) -> None:
    arguments = {
        "launcher": ["cluster=local", "prompts=2", "plan=true", f"results='{tmp_path}/ünï ±'"],
        "launcher.stage": ["--help"],
    }.get(name, [str(shutil.copytree(sealed, tmp_path / "ünï ±"))])
    done = subprocess.run(
        [sys.executable, "-m", name, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        check=False,
    )
    # The audit's own code is 0 or, where a check of this small record fails, 1.
    assert done.returncode in ((0, 1) if name == "analysis.audit" else (0,)), done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "missing", "extra"),
    [
        ("launcher", "hydra", "launch"),
        ("launcher", "submitit", "launch"),
        ("launcher.stage", "datasets", "launch"),
        ("analysis", "jinja2", "analysis"),
        ("analysis", "matplotlib", "analysis"),
    ],
)
@pytest.mark.parametrize("asks_for_help", [False, True])
def test_a_package_that_is_not_installed_is_told_with_the_extra_that_has_it(
    name: str, missing: str, extra: str, asks_for_help: bool, sealed: Path
) -> None:
    words = ["--help"] if asks_for_help else [str(sealed)] if name == "analysis" else []
    code = (
        "import runpy, sys\n"
        # As where it is not installed: importlib finds nothing of that name.
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] == {missing!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        f"sys.argv[1:] = {words!r}\n"
        f"runpy.run_module({name!r}, run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    if asks_for_help and done.returncode == ExitCode.DONE:
        # Help may need nothing of it.
        assert "usage:" in done.stdout
        return
    assert done.returncode == ExitCode.BAD_INPUT, done.stderr
    assert len(complaints(done.stderr)) == 1
    assert f"'joulegrid[{extra}]'" in done.stderr
