"""Every command of README, docs/ and slurm/README.md works as it is typed there.

Each line of their blocks of shell is run in a copy of the tree, a page's one after another, with
Slurm's clients on the PATH, and once more without them, but for the verbs of `analysis`, which sees
no Slurm (`tests/test_architecture.py`): by bash, or, where it is one call of a verb, by a fork of a
process that has imported them all, which spares each line a second. What cannot be run so stands in
`EXEMPTIONS` with its reason; one that no line needs any more fails. Sealed runs of a real H200
stand for `results` and for the folders A, B and C, generated rows for the hub's data sets, and a
new key for the reader's own.
"""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from queue import SimpleQueue
from typing import Final, cast

import pytest

from telemetry.command import ExitCode
from telemetry.next_line import PROGRAM, VERBS
from tests.conftest import REPOSITORY
from tests.support.recordings import FOLDER as RECORDED
from tests.support.recordings import SUFFIX, unpack
from workers.prompts.corpus import CORPORA

PAGES: Final = (
    *(REPOSITORY / name for name in ("README.md", "slurm/README.md")),
    *sorted((REPOSITORY / "docs").glob("*.md")),
)
# The paper's 4,096 prompts, and some.
ROWS: Final = 4_100
# The same work by two engines, small files both.
PAIR: Final = "65b-fixed-synthetic-h200-g2-"
# What no line of these takes on a busy machine; one that does belongs among the exemptions.
MOST_S: Final = 120.0
CLIENTS: Final = (
    *("sbatch", "squeue", "sinfo", "scontrol", "sacct", "sacctmgr", "scancel", "srun", "salloc"),
)
# Neither a copy's history and environment nor what tests and builds leave.
LEFT_BEHIND: Final = (".git", ".venv", "tests", "results", "build", "*.egg-info", "*cache*")
Ended = subprocess.CompletedProcess[str]
"""What became of a line."""
# What a process does for each who connects: it forks, and the child forks for each line that comes.
FORKING: Final = """
import gc, importlib, importlib.util, json, os, signal, socket, sys, traceback
_, tree, most_s, place = sys.argv
sys.path.insert(0, tree)
from launcher.console import main, program_of
from telemetry.next_line import VERBS
for module in VERBS:
    if importlib.util.find_spec(module):
        importlib.import_module(program_of(module))
# What they load when they come to it, a second and more: here once, and not in every child.
for module in ("pandas", "scipy.stats", "textstat", "analysis.report.page"):
    importlib.import_module(module)
# No child looks through what all of them have.
gc.collect()
gc.freeze()
listening = socket.socket(socket.AF_UNIX)
listening.bind(place)
listening.listen()
print(flush=True)
while True:
    calls = listening.accept()[0].makefile("rw")
    if not os.fork():
        break
    calls.close()
for line in calls:
    call = json.loads(line)
    child = os.fork()
    if not child:
        signal.alarm(int(most_s))
        os.chdir(call["folder"])
        os.environ.clear()
        os.environ.update(call["variables"])
        for name, number, flags in (
            (os.devnull, 0, os.O_RDONLY),
            (call["out"], 1, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
            (call["err"], 2, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        ):
            os.dup2(os.open(name, flags), number)
        name, *words = call["words"]
        if name == "python":
            _, module, *words = words
            name, words = f"{module}.py", [VERBS[module], *words]
        sys.argv = [name, *words]
        code = 1
        try:
            code = int(main(words))
        except SystemExit as ended:
            code = int(ended.code or 0)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    calls.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\\n")
    calls.flush()
"""
# No verb of that package sees Slurm, its clients least.
_WITHOUT_SLURM: Final = {verb for module, verb in VERBS.items() if module.startswith("analysis")}
_BLOCK: Final = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
_YAML_BLOCK: Final = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
_STATED: Final = ("factors.yaml", "mix.yaml")
_COMMENT: Final = re.compile(r"\s+#\s.*$")


class How(Enum):
    """How a line is proven that is not simply run."""

    NOT = "not run here"
    MAKE = "make only says what it would do"
    PLAN = "plan=true is added"
    ENDS = "it may end with these codes"


@dataclass(frozen=True, kw_only=True)
class Exemption:
    """Lines that are not simply run, and must end with 0."""

    lines: str
    """What they begin with or have in them, as a regular expression."""
    how: How
    """What is done instead."""
    reason: str
    """Why."""
    page: str | None = None
    """Only on this page; None on all."""
    codes: tuple[int, ...] = ()
    """For `ENDS`: the exit codes that are as good as 0, and 0 only where it is among them."""


EXEMPTIONS: Final = (
    Exemption(
        lines=r"^make (?!cluster)",
        how=How.MAKE,
        reason="they take minutes, and some are the tests themselves: .ci/run calls them",
    ),
    Exemption(
        lines=r"^python -m pytest ",
        how=How.NOT,
        reason="the tests run the tests; that the files are there is tests/test_docs.py's",
    ),
    Exemption(
        lines=r"^python -m tests\.benchmarks\.",
        how=How.NOT,
        reason="minutes, by hand, in a clone: the tests are no part of what is installed",
    ),
    Exemption(
        lines=r"\b(DIR|RUN|ROOT|HOST|PATH)\b",
        how=How.NOT,
        reason="a word in capitals stands for something of the reader's own",
    ),
    Exemption(
        lines=r" --tsa https://",
        how=How.ENDS,
        codes=(ExitCode.FAILED,),
        reason="needs a time stamp authority: without internet it must say so in a line",
    ),
    Exemption(lines=r"^sudo |^pip install ", how=How.NOT, reason="needs root or the internet"),
    Exemption(
        lines=r"mysite|\b(proof|center)\b|^git |^joulegrid stage ",
        page="slurm/README.md",
        how=How.NOT,
        reason="a center's first day needs a Slurm that runs: tests/system/slurm/test_first_day.py",
    ),
    Exemption(
        lines=r"slurm/devcluster|^make cluster",
        how=How.NOT,
        reason="starts and ends a Slurm of its own: tests/system/slurm/test_devcluster.py",
    ),
    Exemption(
        lines=r"^sbatch ",
        how=How.NOT,
        reason="needs a Slurm that runs: tests/system/slurm/test_batch_files.py",
    ),
    Exemption(
        lines=r"^cd /models/",
        how=How.NOT,
        reason="hashes a checkpoint of 13 GB",
    ),
    Exemption(
        lines=rf"^(python -m launcher|{PROGRAM} run) (?!.*(plan=true|--help))",
        how=How.PLAN,
        reason="a launch takes minutes or more; its plan refuses what it would refuse",
    ),
    Exemption(
        lines=r" weights='?/models/",
        how=How.ENDS,
        codes=(ExitCode.BAD_INPUT,),
        reason="the checkpoint that it names is not here, which it must say",
    ),
    Exemption(
        lines=r" model=(/models/|\S*hub:)",
        how=How.ENDS,
        codes=(ExitCode.BAD_INPUT,),
        reason="the folder or the hub's model that it names is not here, which it must say",
    ),
    Exemption(
        lines=r" history=/scratch/",
        how=How.ENDS,
        codes=(ExitCode.BAD_INPUT,),
        reason="the results folder that it names is not here, which it must say",
    ),
    Exemption(
        lines=r"model=\S*(7b|13b|65b)|experiment=\w+",
        how=How.ENDS,
        codes=(ExitCode.DONE, ExitCode.NOTHING_DONE),
        reason="needs a GPU, or a cluster that has some: without it says that nothing can run",
    ),
    Exemption(
        lines=rf"^(python -m launcher\.reproduce|{PROGRAM} reproduce) ",
        how=How.ENDS,
        codes=(ExitCode.DONE, ExitCode.NOTHING_DONE),
        reason="the runs that it makes again are an H200's: without one nothing can run",
    ),
    Exemption(
        lines=r"^python -m telemetry\.power show",
        how=How.ENDS,
        codes=(ExitCode.DONE, ExitCode.NOTHING_DONE),
        reason="reads the boards of this machine: without a driver it must say so in a line",
    ),
    Exemption(
        lines=rf"^{PROGRAM} doctor ",
        how=How.ENDS,
        codes=(ExitCode.DONE, ExitCode.FAILED),
        reason="whether this machine can measure is what it tells",
    ),
    Exemption(
        lines=rf"^(python -m launcher\.stage|{PROGRAM} stage) (?!.*--from)",
        how=How.ENDS,
        codes=(ExitCode.FAILED,),
        reason="needs the hub: without internet it must say so in a line",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Line:
    """A command of the pages."""

    text: str
    """As it is typed, with its comment, on one line."""
    place: str
    """The first page that has it, and how far down."""
    here: bool
    """True when a page says beside it that it runs on this machine."""

    @property
    def exemptions(self) -> list[Exemption]:
        """Those that it needs."""
        page = self.place.partition(":")[0]
        return [
            one
            for one in EXEMPTIONS
            if one.page in (None, page) and re.search(one.lines, self.text)
        ]

    def is_how(self, how: How) -> bool:
        """Whether it is treated so."""
        return any(one.how is how for one in self.exemptions)

    @property
    def run(self) -> str:
        """What bash gets in its place."""
        bare = _COMMENT.sub("", self.text)
        if self.is_how(How.MAKE):
            return bare.replace("make ", "make -n ", 1)
        return f"{bare} plan=true" if self.is_how(How.PLAN) else self.text

    @property
    def sees_slurm(self) -> bool:
        """Whether Slurm's clients can make a difference to it."""
        name, *words = _COMMENT.sub("", self.text).split()
        verb = words[0] if name == PROGRAM else VERBS.get((words[1:2] or [""])[0])
        return verb not in _WITHOUT_SLURM

    @property
    def codes(self) -> set[int]:
        """What it may end with."""
        told = [one for one in self.exemptions if one.how is How.ENDS]
        # The first that fits is the most special.
        return set(told[0].codes) if told else {ExitCode.DONE}


def lines_of(page: Path) -> Iterator[Line]:
    """The commands of a page's blocks of shell, those that go on over lines as one."""
    text = page.read_text(encoding="utf-8")
    for block in _BLOCK.finditer(text):
        begins = text[: block.start(1)].count("\n") + 1
        joined = ""
        for number, line in enumerate(block[1].splitlines(), begins):
            if line.endswith("\\"):
                joined += line.removesuffix("\\").rstrip() + " "
                continue
            command = (joined + line.strip()).strip()
            joined = ""
            if command and not command.startswith("#"):
                place = f"{page.relative_to(REPOSITORY)}:{number}"
                yield Line(
                    text=re.sub(r"(?<=\S) {2,}(?=[^#\s])", " ", command),
                    place=place,
                    here="on this machine" in command,
                )


def all_lines() -> list[Line]:
    """Each command of all pages once."""
    found: dict[str, Line] = {}
    for page in PAGES:
        for line in lines_of(page):
            first = found.setdefault(_COMMENT.sub("", line.text), line)
            found[_COMMENT.sub("", line.text)] = replace(first, here=first.here or line.here)
    return list(found.values())


class Forks:
    """A connection to a Python that has imported every verb and forks for each call."""

    def __init__(self, place: Path) -> None:
        with socket.socket(socket.AF_UNIX) as connected:
            connected.connect(str(place))
            self._calls = connected.makefile("rw")

    def run(self, words: Sequence[str], folder: Path, variables: Mapping[str, str]) -> Ended:
        """Call a verb in a folder."""
        out, err = folder / "stdout.txt", folder / "stderr.txt"
        call = {
            **{"words": list(words), "folder": str(folder), "out": str(out), "err": str(err)},
            "variables": dict(variables),
        }
        self._calls.write(f"{json.dumps(call)}\n")
        self._calls.flush()
        code = int(self._calls.readline())
        return subprocess.CompletedProcess(list(words), code, out.read_text(), err.read_text())

    def close(self) -> None:
        """End what serves it."""
        self._calls.close()


LINES: Final = all_lines()
RUN: Final = [line for line in LINES if not line.is_how(How.NOT)]


def place_of(line: Line) -> str:
    return line.place


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a clone has, with this environment in .venv."""
    folder = tmp_path_factory.mktemp("clone") / "joulegrid"
    shutil.copytree(REPOSITORY, folder, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    (folder / ".venv").symlink_to(sys.prefix)
    # Who answers for a record, as docs/evidence.md has it.
    key = folder / "signers"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)],
        check=True,
        capture_output=True,
    )
    public = key.with_suffix(".pub").read_text()
    key.rename(folder.parent / "id_ed25519")
    key.with_suffix(".pub").rename(folder.parent / "id_ed25519.pub")
    key.write_text(f"jo@center.example {public}")
    # What a user states, as docs/footprint.md has it.
    stated = _YAML_BLOCK.findall((folder / "docs" / "footprint.md").read_text())
    for name, text in zip(_STATED, stated, strict=True):
        (folder / name).write_text(text)
    for archive in RECORDED.glob(f"{PAIR}*{SUFFIX}"):
        unpack(archive, folder / "results")
    for name in "ABC":
        shutil.copytree(folder / "results", folder / name)
    return folder


@pytest.fixture(scope="module")
def environment(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A user's own, with data sets staged and without the internet."""
    home = tmp_path_factory.mktemp("home")
    cache = home / "cache"
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SLURM")},
        "HOME": str(home),
        "HF_HUB_OFFLINE": "1",
        "JOULEGRID_CACHE": str(cache),
        "COLUMNS": "80",
    }
    variables.pop("PYTHONPATH", None)
    (home / ".ssh").mkdir()
    for name in ("id_ed25519", "id_ed25519.pub"):
        shutil.copy(tree.parent / name, home / ".ssh")
    for name, corpus in CORPORA.items():
        if not corpus.hub or corpus.task is not None:
            continue
        rows = home / f"{name}.jsonl"
        texts = ({column: f"{column} {row}" for column in corpus.columns} for row in range(ROWS))
        rows.write_text("".join(f"{json.dumps(text)}\n" for text in texts))
        subprocess.run(
            [sys.executable, "-m", "launcher.stage", name, "--from", str(rows)],
            env=variables,
            cwd=tree,
            check=True,
            capture_output=True,
        )
    return variables


@pytest.fixture(scope="module")
def forking(
    tree: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The socket of a process that has imported every verb."""
    place = tmp_path_factory.mktemp("s") / "s"
    with subprocess.Popen(
        [sys.executable, "-P", "-c", FORKING, str(tree), f"{MOST_S:.0f}", str(place)],
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield place
        process.kill()


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where lines are run, and by what."""

    tree: Path
    """The copy."""
    variables: Mapping[str, str]
    """The user's."""
    forking: Path
    """The socket."""
    folder: Path
    """For what the lines leave."""


@pytest.fixture(scope="module")
def ended_with(
    request: pytest.FixtureRequest,
    tree: Path,
    environment: dict[str, str],
    forking: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Mapping[str, Future[Ended]]]:
    """What becomes of lines with Slurm's clients."""
    if not shutil.which("sbatch"):
        pytest.skip("Slurm's clients are not installed: slurm/packages.txt")
    asked = asked_of(request.session, test_a_command_works_as_it_is_typed)
    folder = tmp_path_factory.mktemp("with")
    place = Place(tree=tree, variables=environment, forking=forking, folder=folder)
    with all_running(asked, place, clients=True) as ends:
        yield ends


@pytest.fixture(scope="module")
def ended_without(
    request: pytest.FixtureRequest,
    tree: Path,
    environment: dict[str, str],
    forking: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Mapping[str, Future[Ended]]]:
    """What becomes of lines without them."""
    asked = asked_of(request.session, test_a_command_works_without_slurm_s_clients)
    folder = tmp_path_factory.mktemp("without")
    place = Place(tree=tree, variables=environment, forking=forking, folder=folder)
    with all_running(asked, place, clients=False) as ends:
        yield ends


def asked_of(session: pytest.Session, test: Callable[..., None]) -> list[Line]:
    """The lines that a test is asked for."""
    return [
        cast(Line, item.callspec.params["line"])
        for item in session.items
        if isinstance(item, pytest.Function) and item.originalname == test.__name__
    ]


@contextmanager
def all_running(
    asked: Sequence[Line], place: Place, *, clients: bool
) -> Iterator[Mapping[str, Future[Ended]]]:
    """Each line's end; as many pages at once as there are cores."""
    base = place.folder
    programs = programs_in(base / "bin", place.variables["PATH"], clients=clients)
    path = f"{base / 'word'}:{Path(sys.prefix) / 'bin'}:{programs}"
    variables = {**place.variables, "PATH": path}
    put_word(base / "word")
    pages: dict[str, list[tuple[Line, Future[Ended]]]] = {}
    for line in asked:
        pages.setdefault(line.place.partition(":")[0], []).append((line, Future()))
    workers = os.cpu_count() or 1
    free: SimpleQueue[Forks] = SimpleQueue()
    for _ in range(workers):
        free.put(Forks(place.forking))
    # Not waited for here: a test has its own time for its own line.
    pool = ThreadPoolExecutor(workers)
    try:
        for number, lines in enumerate(pages.values()):
            place_for(base / f"{number}", place.tree)
            pool.submit(run_page, lines, base / f"{number}", variables, free)
        yield {line.place: end for lines in pages.values() for line, end in lines}
    finally:
        pool.shutdown(cancel_futures=True)
        for _ in range(workers):
            free.get().close()


def programs_in(folder: Path, path: str, *, clients: bool) -> Path:
    """A folder for PATH with links to all programs, with or without Slurm's clients."""
    folder.mkdir()
    for place in map(Path, path.split(":")):
        for program in place.iterdir() if place.is_dir() else ():
            link = folder / program.name
            if not link.is_symlink() and (clients or program.name not in CLIENTS):
                link.symlink_to(program)
    return folder


def put_word(folder: Path) -> None:
    """The word as an installation has it, which runs the working folder's tree."""
    folder.mkdir()
    word = folder / PROGRAM
    word.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, '.')\n"
        "from launcher.console import main\nsys.exit(main())\n"
    )
    word.chmod(0o755)


def place_for(folder: Path, tree: Path) -> Path:
    """A working folder for one page: the copy by links, results as its own."""
    folder.mkdir()
    for entry in tree.iterdir():
        if entry.name not in ("results", *_STATED):
            (folder / entry.name).symlink_to(entry)
    shutil.copytree(tree / "results", folder / "results")
    # No link is followed to what a user states.
    for name in _STATED:
        shutil.copy(tree / name, folder)
    return folder


def run_page(
    lines: Sequence[tuple[Line, Future[Ended]]],
    folder: Path,
    variables: Mapping[str, str],
    free: SimpleQueue[Forks],
) -> None:
    """Run a page's lines one after another in a folder of their own."""
    forks = free.get()
    try:
        for line, end in lines:
            words = plain_words(line.run)
            done = (
                forks.run(words, folder, variables)
                if words
                else run_line(line.run, folder, variables)
            )
            end.set_result(done)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        for _, end in lines:
            if not end.done():
                end.set_exception(error)
    finally:
        free.put(forks)


def run_line(text: str, folder: Path, variables: Mapping[str, str]) -> Ended:
    """Run a line by bash."""
    return subprocess.run(
        ["bash", "-c", text],
        cwd=folder,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=MOST_S,
    )


def plain_words(text: str) -> list[str]:
    """The words of a line that is one call of a verb; empty where a shell has more to do."""
    bare = _COMMENT.sub("", text)
    if set(bare) & set("~$`|&;<>(){}*?!"):
        return []
    words = shlex.split(bare)
    is_verb = words[0] == PROGRAM or (words[:2] == ["python", "-m"] and words[2] in VERBS)
    return words if is_verb else []


@pytest.mark.parametrize("line", RUN, ids=place_of)
def test_a_command_works_as_it_is_typed(
    line: Line, ended_with: Mapping[str, Future[Ended]]
) -> None:
    looked_at(line, ended_with[line.place].result())


@pytest.mark.parametrize("line", [line for line in RUN if line.sees_slurm], ids=place_of)
def test_a_command_works_without_slurm_s_clients(
    line: Line, ended_without: Mapping[str, Future[Ended]]
) -> None:
    looked_at(line, ended_without[line.place].result())


def looked_at(line: Line, done: Ended) -> None:
    said = f"{line.run}\n{done.stdout}\n{done.stderr}"
    assert done.returncode in line.codes, said
    assert "Traceback" not in said, said
    # Clients of a Slurm that are installed are no reason to go there.
    assert not (line.here and "cluster=slurm," in done.stdout), said


def test_there_are_commands_of_every_page_that_has_some() -> None:
    pages = {line.place.partition(":")[0] for line in LINES}
    assert {"README.md", "docs/grid.md", "docs/command.md", "slurm/README.md"} <= pages


@pytest.mark.parametrize("one", EXEMPTIONS, ids=lambda one: one.lines)
def test_an_exemption_is_needed(one: Exemption) -> None:
    assert any(one in line.exemptions for line in LINES), one.reason


def test_a_line_goes_on_behind_a_backslash() -> None:
    page = REPOSITORY / "docs" / "cluster.md"
    joined = [line.text for line in lines_of(page) if "cluster.slurm.partition" in line.text]
    assert joined
    assert all(text.startswith("python -m launcher") for text in joined)
    assert not any("\\" in text for text in joined)


def test_a_command_that_does_not_work_is_seen(
    tree: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    folder = place_for(tmp_path / "page", tree)
    variables = {**environment, "PATH": f"{Path(sys.prefix) / 'bin'}:{environment['PATH']}"}
    line = Line(
        text="python -m launcher -m modle=nano plan=true   # misspelt", place="page:1", here=True
    )
    assert run_line(line.run, folder, variables).returncode not in line.codes
