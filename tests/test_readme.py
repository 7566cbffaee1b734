"""What the documents tell people to type works."""

import re
import shlex
import textwrap
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from lafe import LAFE, Switches
from lafe.checkpoints.store import available, save
from lafe.cli.main import parser
from lafe.train.recipe import recipe_from, shipped

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    each
    for each in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if re.search(r"```bash\nlafe |written by `lafe ", each.read_text())
]


def blocks(document: Path, language: str) -> list[str]:
    """The fenced blocks of a language, without their indentation."""
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```", document.read_text(), re.DOTALL | re.M)
    return [textwrap.dedent(block) for block in found]


@pytest.fixture
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with photo.jpg, from which the checkpoint `birds` can be loaded."""
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.jpg")
    if "birds" not in available():
        classes = [f"bird {k}" for k in range(50)]
        save(LAFE("test_resnet", len(classes), 64), tmp_path / "checkpoints" / "birds", classes)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_readme_s_python_runs(working_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = blocks(ROOT / "README.md", "python")
    assert len(found) == 4
    names: dict[str, object] = {}
    for block in found:
        exec(compile(block, "README.md", "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    shares = [float(line.split()[0]) for line in printed[:5]]
    assert shares == sorted(shares, reverse=True)
    assert [line.split()[0] for line in printed[5:8]] == ["all", "r_dis345.c_dis345", "none"]
    region, gate = printed[8:10]
    assert gate == re.sub(r"\[1, \d+,", "[1, 1,", region)
    assert printed[10] == " ".join([region] * 4)
    assert float(re.sub(r"\D*(-?\d.*?)\)?$", r"\1", printed[-1])) == pytest.approx(0, abs=1e-4)
    assert names["switches"] == Switches.none()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_are_ones_that_lafe_has(document: Path) -> None:
    lines = "".join(blocks(document, "bash")).splitlines()
    commands = [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("lafe ")]
    said = re.findall(r"written by\s`lafe ([^`]*)`", document.read_text())
    commands += map(shlex.split, said)
    assert commands
    for command in commands:
        args = parser().parse_args(command)
        recipe = getattr(args, "recipe", "birds")
        assert recipe.endswith(".yaml") or recipe in shipped()


def test_the_recipe_to_copy_is_one() -> None:
    [block] = blocks(ROOT / "docs" / "training.md", "yaml")
    recipe = recipe_from(yaml.safe_load(block))
    assert (recipe.name, recipe.data) == ("flowers", "folder")
