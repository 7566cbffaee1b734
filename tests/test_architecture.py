"""Who may import whom; read from the files, imports inside functions and for type checkers too."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest

import app
import lafe

ROOT = Path(__file__).resolve().parents[1]
FILES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for package in ("lafe", "app")
    for file in sorted((ROOT / package).rglob("*.py"))
}
"""Every module of the project."""


def imported(module: str, source: str, package: bool, known: Iterable[str]) -> set[str]:
    """The modules that a source imports; of a package only what it names, where that is known."""
    here = module if package else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            up = here.split(".")[: -(node.level - 1) or None] if node.level else []
            base = ".".join([*up, *filter(None, [node.module])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                found.add(whole if whole in known else base)
    return found


@cache
def imports(module: str) -> frozenset[str]:
    file = FILES[module]
    return frozenset(
        imported(module, file.read_text(encoding="utf-8"), file.name == "__init__.py", FILES)
    )


def members(package: str) -> list[str]:
    return [name for name in FILES if within(name, package)]


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_imports_are_read_wherever_they_stand() -> None:
    source = """
import a.b
from lafe import model
from lafe.model import record, thing
from . import near
from ..far import x
if TYPE_CHECKING:
    import typed
def f():
    from hidden import y
"""
    known = {"lafe.model", "lafe.model.record", "p.q.near"}
    assert imported("p.q.m", source, False, known) == {
        *("a.b", "lafe.model", "lafe.model.record", "p.q.near", "p.far", "typed", "hidden"),
    }
    assert imported("p.q", "from .near import x", True, known) == {"p.q.near"}


ALLOWED = {
    "lafe.branches": (),
    "lafe.errors": (),
    "lafe.markup": (),
    # timm's feature extractors are torchvision's, which cannot trace while other threads run.
    "lafe.model": (
        *("torch", "timm", "torchvision.models.feature_extraction"),
        *("lafe.branches", "lafe.errors"),
    ),
}


@pytest.mark.parametrize("package", ALLOWED)
def test_the_ground_floor_imports_nothing_else(package: str) -> None:
    for module in members(package):
        for name in imports(module):
            allowed = within(name, package, *ALLOWED[package])
            assert allowed or name.split(".")[0] in sys.stdlib_module_names, f"{module}: {name}"


FORBIDDEN = [
    ("lafe", "streamlit"), ("lafe", "app"), ("lafe.data", "lafe.explain"),
    ("lafe.checkpoints", "lafe.explain"), ("lafe.explain", "lafe.render"),
    ("lafe.explain", "lafe.measure"), ("lafe.render", "lafe.measure"), ("app", "lafe.train"),
    ("app", "numpy"), ("app", "torch"),  # no arithmetic
]  # fmt: skip


@pytest.mark.parametrize(("package", "other"), FORBIDDEN)
def test_what_stands_below_does_not_know_what_stands_above(package: str, other: str) -> None:
    assert members(package)
    for module in members(package):
        wrong = [name for name in imports(module) if within(name, other)]
        if (module, other) == ("lafe.cli.app", "streamlit"):
            continue  # the command that starts the app
        assert not wrong, f"{module} imports {wrong[0]}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {m: {n for n in imports(m) if n in FILES and n != m} for m in FILES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_package_imports_itself_by_way_of_others() -> None:
    def package(module: str) -> str:
        return ".".join(module.split(".")[: 2 if within(module, "lafe") else 1])

    graph: dict[str, set[str]] = {}
    for module in FILES:
        if module != "lafe":
            own = package(module)
            others = {package(name) for name in imports(module) if name in FILES}
            graph.setdefault(own, set()).update(others - {own})
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


HEAVY = ("pandas", "cv2", "jsonschema", "pyarrow", "streamlit", "matplotlib", "captum", "scipy")


def test_the_model_alone_is_light() -> None:
    names = members("lafe.model")
    script = "; ".join(f"import {name}" for name in names)
    script += f"; import sys; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


def test_no_package_gives_something_else_under_the_name_of_one_of_its_modules() -> None:
    seen = []
    for root in (lafe, app):
        for info in pkgutil.walk_packages(root.__path__, f"{root.__name__}."):
            if info.name == "app.installed.streamlit_app":
                continue  # a script: it runs the app when it is imported
            module = importlib.import_module(info.name)
            package, _, name = info.name.rpartition(".")
            assert getattr(sys.modules[package], name) is module, info.name
            assert isinstance(module, ModuleType)
            seen.append(info.name)
    assert {*seen, "lafe", "app", "app.installed.streamlit_app"} == FILES.keys()


IN_PLACE = {
    "lafe/files.py",
    "lafe/data/partbirds/folder.py",  # a new folder
    "lafe/measure/bench.py",  # no file, but the kernel's switch
}


def test_files_are_written_by_one_helper() -> None:
    """Written in place, a file is half a file when the writer is killed."""
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "lafe").rglob("*.py")
        if re.search(r"\.write_(?:text|bytes)\(", path.read_text())
    }
    assert found == IN_PLACE


def test_evidence_is_a_function_and_a_module() -> None:
    assert callable(lafe.evidence)
    assert importlib.import_module("lafe.explain.evidence").evidence is lafe.evidence


def test_tensors_are_written_to_a_draft_that_takes_its_place_in_one_step() -> None:
    """Written in place, a file is half a file for a while, and for its owner's eyes only."""
    calls = [
        (module, call)
        for module, file in FILES.items()
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("save_file")
    ]
    assert len(calls) >= 4
    for module, call in calls:
        assert ast.unparse(call.args[1]) == "draft", f"{module}:{call.lineno}"
