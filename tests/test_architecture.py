"""Imports go one way, rooms have doors, and heavy libraries stay where they belong."""

import ast
import functools
import graphlib
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import REPOSITORY

PACKAGES: Final = ("launcher", "workers", "telemetry", "analysis")

# Whom a room may import, beside itself. `package/` stands for all rooms of a package.
MAY_IMPORT: Final[Mapping[str, Set[str]]] = {
    # The record, watching, merging: knows neither torch nor Hydra.
    "telemetry": set(),
    "telemetry.boards": {"telemetry"},
    # What a reading can be is bounded by the board that gives it.
    "telemetry.record": {"telemetry", "telemetry.boards"},
    "telemetry.shards": {"telemetry", "telemetry.record"},
    "telemetry.sources": {"telemetry", "telemetry.record", "telemetry.shards"},
    "telemetry.sources.host": {"telemetry", "telemetry.record", "telemetry.sources"},
    "telemetry.sources.nvml": {
        *("telemetry", "telemetry.boards", "telemetry.record", "telemetry.sources"),
    },
    "telemetry.sources.dcgm": {
        *("telemetry", "telemetry.boards", "telemetry.record", "telemetry.sources"),
    },
    "telemetry.sources.simulated": {
        *("telemetry", "telemetry.boards", "telemetry.record", "telemetry.sources"),
        "telemetry.sources.host",
    },
    # How GPUs are set and put back; NVIDIA's library is loaded where that is done.
    "telemetry.power": {
        *("telemetry", "telemetry.record", "telemetry.sources.dcgm", "telemetry.sources.nvml"),
    },
    "telemetry.watcher": {
        *("telemetry", "telemetry.boards", "telemetry.record", "telemetry.shards"),
        "telemetry.power",
        *("telemetry.sources", "telemetry.sources.dcgm", "telemetry.sources.host"),
        *("telemetry.sources.nvml", "telemetry.sources.simulated"),
    },
    "telemetry.merge": {"telemetry", "telemetry.record", "telemetry.shards"},
    # Whom others trust: asked when something is signed, and held against it in an audit.
    "telemetry.evidence": {"telemetry", "telemetry.record"},
    # What a center's own books say of the jobs.
    "telemetry.accounting": {"telemetry", "telemetry.record"},
    # A door of its own: it copies what others sealed, without names.
    "telemetry.export": {
        *("telemetry", "telemetry.accounting", "telemetry.merge", "telemetry.record"),
    },
    # A door of its own: it signs what others sealed.
    "telemetry.sign": {"telemetry", "telemetry.evidence", "telemetry.record"},
    # What one rank does.
    "workers": {"telemetry", "telemetry.record", "workers.distributed", "workers.session"},
    "workers.models.base": {"telemetry.record"},
    "workers.models.library": {"telemetry.record", "workers.models.base"},
    "workers.models.llama": {"telemetry.record", "workers.models.base"},
    "workers.planning": {
        *("telemetry", "telemetry.boards", "telemetry.record"),
        *("workers.models.base", "workers.models.library", "workers.models.llama"),
    },
    "workers.inputs": set(),
    "workers.tokenizers": {"telemetry.record", "workers.inputs", "workers.models.llama"},
    "workers.checkpoints": {
        *("telemetry.record", "workers.inputs", "workers.models.base", "workers.planning"),
    },
    # The tasks are data of conf/.
    "workers.prompts": {
        *("telemetry", "telemetry.record", "workers.inputs", "workers.planning"),
        *("conf", "workers.checkpoints", "workers.tokenizers"),
    },
    "workers.distributed": {"telemetry", "telemetry.record"},
    "workers.models": {
        *("telemetry.record", "workers.checkpoints", "workers.distributed"),
        *("workers.models.base", "workers.planning"),
    },
    # An engine may tell when it did something, by the clock of the record.
    "workers.engines.base": {
        *("telemetry", "telemetry.record", "workers.distributed", "workers.models"),
    },
    "workers.engines.reference": {"workers.engines.base", "workers.models", "workers.planning"},
    "workers.engines.fast": {
        *("workers.engines.base", "workers.engines.fast.kernels"),
        *("workers.models", "workers.models.base", "workers.models.llama", "workers.planning"),
    },
    "workers.engines.fast.kernels": set(),
    "workers.engines.transformers": {
        *("telemetry", "workers.engines.base", "workers.models", "workers.models.base"),
        *("workers.models.library", "workers.models.llama", "workers.planning"),
    },
    "workers.engines.vllm": {
        *("telemetry.record", "workers.engines.base", "workers.engines.transformers"),
        *("workers.models", "workers.models.base", "workers.models.llama", "workers.planning"),
    },
    # It opens engines by their names.
    "workers.engines": {"workers.engines.base", "workers.planning"},
    "workers.session": {
        *("telemetry", "telemetry.boards", "telemetry.record", "telemetry.shards"),
        # The first rank of a node has its watcher change settings between phases.
        *("telemetry.power", "telemetry.sources.nvml"),
        *("workers.distributed", "workers.engines", "workers.engines.base", "workers.models"),
        *("workers.planning", "workers.prompts", "workers.tokenizers"),
    },
    # The composition root.
    "launcher.config": {"conf", "telemetry", "telemetry.boards", "workers.planning"},
    "launcher.slurm": {"telemetry", "telemetry.record", "telemetry.sources.host"},
    "launcher.plan": {
        *("telemetry", "telemetry.power", "telemetry.sources.nvml"),
        *("launcher.config", "launcher.slurm", "telemetry.boards", "telemetry.record"),
        *("workers.checkpoints", "workers.planning", "workers.prompts", "workers.tokenizers"),
        # A model's own config.json is a user's file.
        "workers.inputs",
    },
    # What sealed runs took is read where it is measured: by analysis' light rooms.
    "launcher.forecast": {
        *("analysis.energy", "analysis.performance", "analysis.runs", "launcher.plan"),
        *("telemetry", "telemetry.boards", "telemetry.record", "workers.planning"),
        "workers.prompts",
    },
    "launcher.jobs": {
        *("launcher.config", "launcher.plan", "launcher.slurm", "telemetry", "telemetry.record"),
        *("telemetry.shards", "telemetry.watcher", "workers", "workers.distributed"),
        *("telemetry.power", "telemetry.sources.nvml"),
    },
    # A campaign on this machine ends with what it measured: lazily, as who measures need not draw.
    "launcher.campaign": {
        *("analysis.report", "analysis.runs", "analysis.tables"),
        *("launcher.config", "launcher.forecast", "launcher.jobs", "launcher.plan"),
        *("launcher.slurm", "telemetry", "telemetry.merge", "telemetry.record"),
        "workers.planning",
        "workers.prompts",
        "analysis.workbook",
    },
    # What repeats measured is read by analysis' light rooms, lazily: who counts them reads nothing.
    "launcher.repeats": {
        *("analysis.energy", "analysis.runs", "analysis.statistics"),
        *("launcher.campaign", "launcher.config", "launcher.forecast", "launcher.plan"),
        *("launcher.slurm", "telemetry", "telemetry.record"),
    },
    # It asks what stands alone of the machine, and loads neither Hydra nor torch.
    "launcher.doctor": {
        *("conf", "launcher.plan", "launcher.slurm", "telemetry", "telemetry.record"),
        *("telemetry.sources.dcgm", "telemetry.sources.host", "telemetry.sources.nvml"),
        "workers.prompts",
    },
    "launcher": {
        # The labels of a point that stands in a status.
        "analysis.runs",
        "telemetry.accounting",
        *("launcher.campaign", "launcher.config", "launcher.forecast", "launcher.plan"),
        *("launcher.repeats", "launcher.slurm"),
        *("telemetry", "telemetry.boards", "telemetry.record"),
        "workers.planning",
        "workers.prompts",
        # What a hub's model brings is strict JSON.
        "workers.inputs",
    },
    # A laptop: no torch, no Hydra, no Slurm.
    "analysis.runs": {"telemetry", "telemetry.boards", "telemetry.record"},
    # When a phase's own settings stood is in the node's record of them.
    "analysis.energy": {
        *("analysis.runs", "telemetry", "telemetry.boards", "telemetry.power", "telemetry.record"),
    },
    # What others measured of the same runs.
    "analysis.meter": {
        *("analysis.energy", "analysis.runs", "telemetry", "telemetry.boards", "telemetry.record"),
    },
    "analysis.performance": {
        *("analysis.energy", "analysis.runs", "telemetry", "telemetry.boards", "telemetry.record"),
    },
    "analysis.statistics": set(),
    "analysis.tables": {
        *("analysis.energy", "analysis.meter", "analysis.performance", "analysis.runs"),
        *("analysis.statistics", "telemetry.accounting"),
        *("telemetry", "telemetry.boards", "telemetry.record"),
    },
    # What repeats and grid points say of one another, each a table.
    "analysis.effects": {
        # How large the models are that are held against one another is in their records.
        "analysis.performance",
        *("analysis.runs", "analysis.statistics", "analysis.tables"),
        *("telemetry", "telemetry.boards", "telemetry.record"),
    },
    "analysis.findings": {
        *("analysis.energy", "analysis.performance", "analysis.runs", "analysis.statistics"),
        *("analysis.tables", "telemetry", "telemetry.boards", "telemetry.record"),
    },
    # What lengths of prompts and answers take.
    "analysis.lengths": {
        *("analysis.energy", "analysis.findings", "analysis.runs", "analysis.tables"),
        "telemetry.record",
    },
    # What answers are worth beside what they took.
    "analysis.quality": {
        *("analysis.energy", "analysis.findings", "analysis.runs", "analysis.statistics"),
        *("analysis.tables", "telemetry.record"),
    },
    # What clocks and power that were read went with.
    "analysis.power": {
        *("analysis.energy", "analysis.findings", "analysis.runs", "analysis.statistics"),
        *("analysis.tables", "telemetry", "telemetry.boards", "telemetry.record"),
    },
    # What others published, and what becomes of it here.
    "analysis.paper": {
        *("analysis.energy", "analysis.figures", "analysis.runs", "analysis.statistics"),
        *("analysis.tables", "telemetry", "telemetry.boards", "telemetry.record"),
    },
    "analysis.claims": {
        "telemetry.boards",
        *("analysis.paper", "analysis.runs", "analysis.statistics", "analysis.tables"),
        *("telemetry", "telemetry.record"),
    },
    # What an abstract says, where nothing else of the paper is known.
    "analysis.abstracts": {
        *("analysis.claims", "analysis.findings", "analysis.quality", "analysis.runs"),
        *("analysis.statistics", "analysis.tables", "telemetry"),
    },
    "analysis.workbook": {
        "analysis.abstracts",
        *("analysis.claims", "analysis.effects", "analysis.energy", "analysis.findings"),
        # What lies beside the runs decides rows too.
        *("analysis.meter", "telemetry.accounting"),
        *("analysis.paper", "analysis.runs", "analysis.tables", "telemetry", "telemetry.record"),
        *("analysis.lengths", "analysis.power", "analysis.quality"),
    },
    "analysis.figures": {
        *("analysis.energy", "analysis.meter", "analysis.runs", "analysis.tables"),
        # Its marks are what the regression holds against one another.
        "analysis.power",
        *("telemetry", "telemetry.record"),
    },
    "analysis.audit": {
        *("analysis.energy", "analysis.figures", "analysis.meter", "analysis.performance"),
        *("analysis.report", "analysis.runs", "analysis.tables", "telemetry"),
        *("telemetry.accounting", "telemetry.boards", "telemetry.evidence"),
        *("telemetry.merge", "telemetry.record", "telemetry.shards"),
        # What each node wrote of its caps and clocks.
        "telemetry.power",
        "analysis.workbook",
    },
    # A copy is told as the audit tells one, and a verdict's claims in its words.
    "analysis.compare": {
        *("analysis.abstracts", "analysis.claims"),
        *("analysis.audit", "analysis.figures", "analysis.report", "analysis.runs"),
        *("analysis.statistics", "analysis.tables", "telemetry", "telemetry.record"),
        "analysis.workbook",
    },
    # The page carries each run's power over time.
    "analysis.report": {
        *("analysis.energy", "analysis.figures", "analysis.runs", "analysis.tables"),
        *("telemetry", "telemetry.boards", "telemetry.record"),
        *("analysis.abstracts", "analysis.claims", "analysis.paper", "analysis.workbook"),
    },
    # What a center or a regulator asks for beside joules, from factors that the user states.
    "analysis.footprint": {
        *("analysis.energy", "analysis.findings", "analysis.report"),
        *("analysis.performance", "analysis.runs", "analysis.tables", "analysis.workbook"),
        *("telemetry", "telemetry.boards", "telemetry.record"),
    },
    "analysis.crate": {
        *("analysis.runs", "analysis.tables", "analysis.workbook"),
        *("telemetry", "telemetry.record"),
    },
    "analysis.appendix": {
        *("analysis.report", "analysis.runs", "analysis.tables", "telemetry"),
        "telemetry.record",
        "analysis.workbook",
    },
    "analysis.results": {
        *("analysis.runs", "analysis.tables", "analysis.workbook"),
        *("telemetry", "telemetry.record"),
    },
    "analysis": {
        *(
            "analysis.report",
            "analysis.results",
            "analysis.runs",
            "analysis.tables",
            "telemetry",
            "telemetry.record",
        ),
    },
}
NEVER: Final = {
    "workers": {"hydra", "omegaconf", "submitit"},
    "telemetry": {"torch", "fairscale", "hydra", "omegaconf", "submitit", "datasets"},
    "analysis": {"torch", "fairscale", "hydra", "omegaconf", "submitit", "datasets"},
    "launcher": {"torch", "fairscale"},
}
# Hydra stops at its door.
MAY_SEE_HYDRA: Final = {"launcher.config"}
MAY_SEE_NVML: Final = {"telemetry.sources.nvml"}
# What a login node and an auditor's laptop load: neither torch nor NVIDIA's library.
LIGHT: Final = (
    *("telemetry.record", "telemetry.shards", "telemetry.boards", "telemetry.merge"),
    *("telemetry.accounting", "telemetry.evidence", "telemetry.power"),
    *("telemetry.sources", "telemetry.sources.host", "telemetry.sources.simulated"),
    *("telemetry.sources.dcgm", "workers.planning", "workers.prompts", "workers.tokenizers"),
    *(
        "workers.models.base",
        "workers.models.llama",
        "workers.checkpoints",
        "workers.inputs",
        "launcher.config",
        "launcher.plan",
        "launcher.forecast",
        "launcher.campaign",
    ),
    *("launcher.slurm", "launcher.jobs", "analysis.runs", "analysis.energy"),
    *("analysis.performance", "analysis.statistics", "analysis.tables", "analysis.figures"),
    *("analysis.abstracts", "analysis.claims", "analysis.effects", "analysis.findings"),
    "analysis.paper",
    *("analysis.footprint", "analysis.workbook"),
    *("analysis.report", "analysis.audit", "analysis.compare", "analysis.results"),
    *("analysis.appendix", "analysis.crate", "analysis.meter"),
)
# The one map with a door in it: what it gives, and whence, once somebody asks.
DOORS: Final = {"analysis": ("analysis.results.opened", "open_results")}
# Meta's own format needs torch, and who reads a checkpoint's tensors has it. Of a family all but
# the model itself is read by login nodes.
HEAVY_MODULES: Final = {
    *("workers.checkpoints.pth", "workers.checkpoints.reader", "workers.models.base.layers"),
    *("workers.models.base.model", "workers.models.base.room", "workers.models.base.torch_dtypes"),
    "workers.models.llama.model",
    "workers.models.llama.rates",
}
VAGUE: Final = {"utils", "helpers", "common", "manager", "misc", "types"}
MOST_LINES: Final = 400


def _modules() -> dict[str, Path]:
    """Every module of the packages by dotted name; a folder's is its `__init__`."""
    found = {}
    for package in PACKAGES:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            name = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


MODULES: Final = _modules()


def room_of(module: str) -> str:
    """The folder of a module, dotted."""
    return module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]


ROOMS: Final = sorted({room_of(module) for module in MODULES})


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """A file's syntax tree; each test looks at all files."""
    return ast.parse(path.read_text())


@functools.cache
def imports(path: Path) -> tuple[tuple[str, str | None], ...]:
    """Modules that a file imports, lazily or not, and the name that it takes of each."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[tuple[str, str | None]]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((name.name, None) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield (inner, None) if inner in MODULES else (node.module, name.name)


def libraries(path: Path) -> set[str]:
    return {module.split(".")[0] for module, _ in imports(path)}


def test_every_room_is_in_the_table_and_every_line_of_it_is_a_room() -> None:
    assert {room for room in ROOMS if room not in MAY_IMPORT} == set()
    assert {room for room in MAY_IMPORT if room not in ROOMS} == set()


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_lies_below_it(room: str) -> None:
    for module, path in MODULES.items():
        if room_of(module) != room:
            continue
        for other, _ in imports(path):
            top = other.split(".")[0]
            if top == "conf":
                assert "conf" in MAY_IMPORT[room], path
            elif top in {*PACKAGES, "tests"}:
                assert other in MODULES, f"{path} imports {other}"
                assert room_of(other) in {room, *MAY_IMPORT[room]}, f"{path} imports {other}"


def test_no_file_imports_itself_by_way_of_others() -> None:
    graph = {
        module: {other for other, _ in imports(path) if other in MODULES and other != module}
        for module, path in MODULES.items()
    }
    assert list(graphlib.TopologicalSorter(graph).static_order())


def test_no_room_imports_itself_by_way_of_others() -> None:
    graph: dict[str, set[str]] = defaultdict(set)
    for module, path in MODULES.items():
        rooms = {room_of(other) for other, _ in imports(path) if other in MODULES}
        graph[room_of(module)] |= rooms - {room_of(module)}
    assert list(graphlib.TopologicalSorter(graph).static_order())


def _map(room: str) -> str:
    text = ast.get_docstring(tree_of(MODULES[room]))
    assert text is not None, room
    return text


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_s_map_calls_public_is_what_others_import(room: str) -> None:
    taken: set[str] = set()
    for module, path in MODULES.items():
        if room_of(module) == room:
            continue
        for other, name in imports(path):
            if other in MODULES and room_of(other) == room and other != room:
                taken.add(name or other.rpartition(".")[2])
    _, _, public = _map(room).partition("\nPublic: ")
    assert set(re.findall(r"`(\w+)`", public)) == taken
    assert not {name for name in taken if name.startswith("_")}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_s_map_has_a_line_for_each_module_and_no_code(room: str) -> None:
    folder = MODULES[room].parent
    there = {path.stem for path in folder.glob("*.py") if path.name != "__init__.py"}
    there |= {f"{path.parent.name}/" for path in folder.glob("*/__init__.py")}
    assert set(re.findall(r"^- `([\w/]+)`: \S", _map(room), re.MULTILINE)) == there
    code = tree_of(MODULES[room]).body[1:]
    if room not in DOORS:
        assert not code, f"{room} is a map, no code"
        return
    # It tells a type checker what the door gives, and opens it when it is asked for.
    _, door = code
    assert isinstance(door, ast.If)
    assert [type(one) for one in door.body] == [ast.ImportFrom]
    assert [ast.unparse(one).partition("(")[0] for one in door.orelse] == ["def __getattr__"]
    rooms = {one for one in imports(MODULES[room]) if one[0] in MODULES}
    assert rooms == {DOORS[room]}


@pytest.mark.parametrize("room", DOORS)
def test_a_door_that_nobody_opens_loads_nothing(room: str) -> None:
    heavy = {"pyarrow", "numpy", "analysis.results"}
    code = f"import sys, {room}; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("package", sorted(NEVER))
def test_heavy_libraries_stay_out_of(package: str) -> None:
    for module, path in MODULES.items():
        if module.split(".")[0] == package:
            assert not libraries(path) & NEVER[package], path


def test_hydra_and_nvidia_s_library_are_seen_in_one_room_each() -> None:
    for module, path in MODULES.items():
        if libraries(path) & {"hydra", "omegaconf"}:
            assert room_of(module) in MAY_SEE_HYDRA, path
        if "pynvml" in libraries(path):
            assert room_of(module) in MAY_SEE_NVML, path


def test_importing_all_light_rooms_loads_neither_torch_nor_nvidia_s_library() -> None:
    names = [name for name in MODULES if room_of(name) in LIGHT and not name.endswith("__main__")]
    names = [name for name in names if name not in HEAVY_MODULES]
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(name)\n"
        "    assert not {'torch', 'pynvml'} & set(sys.modules), name\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "module", ["telemetry.watcher.__main__", "telemetry.merge.__main__", "analysis.audit.__main__"]
)
def test_importing_loads_no_torch_and_no_hydra(module: str) -> None:
    code = (
        f"import sys, {module}; "
        "print(sorted({'torch', 'hydra', 'submitit', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_are_short_and_named_for_one_thing(package: str) -> None:
    for module, path in MODULES.items():
        if module.split(".")[0] == package:
            assert path.stem not in VAGUE, path
            assert len(path.read_text().splitlines()) <= MOST_LINES, path


def test_no_class_s_name_stands_for_two_things() -> None:
    stands: dict[str, list[str]] = defaultdict(list)
    for module, path in MODULES.items():
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                stands[node.name].append(module)
    assert {name: where for name, where in stands.items() if len(where) > 1} == {}


def test_every_field_of_a_dataclass_says_what_it_is() -> None:
    for path in MODULES.values():
        for node in ast.walk(tree_of(path)):
            if not isinstance(node, ast.ClassDef):
                continue
            if not any("dataclass" in ast.unparse(one) for one in node.decorator_list):
                continue
            for here, after in zip(node.body, [*node.body[1:], None], strict=True):
                if isinstance(here, ast.AnnAssign):
                    told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                    assert told, f"{path}: {node.name}.{ast.unparse(here.target)}"


def test_no_test_counts_how_far_a_slow_machine_was_told_as_an_error() -> None:
    # `tests.support.told.complaints` takes such lines out.
    counted = re.compile(
        r"(std)?err(or)?(\.splitlines\(\))? == b?(\"\"|\[\])|err\.count\(\"\\n\"\)"
    )
    assert [
        f"{path.relative_to(REPOSITORY)}: {line.strip()}"
        for path in sorted((REPOSITORY / "tests").rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if counted.search(line)
    ] == []


def test_no_module_swallows_every_exception() -> None:
    for path in MODULES.values():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, path
                assert ast.unparse(node.type) not in {"Exception", "BaseException"}, path
