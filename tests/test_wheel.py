"""What is installed runs without the checkout: built, unpacked, and run from another folder."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


def run(site: Path, folder: Path, *command: str) -> str:
    """Run Python somewhere, with what is installed in front."""
    environment = os.environ | {"PYTHONPATH": str(site)}
    environment.pop("LAFE_CHECKPOINTS", None)
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_has_names_that_nobody_else_has(site: Path) -> None:
    tops = {path.name for path in site.iterdir() if not path.name.endswith(".dist-info")}
    assert tops == {"lafe", "lafe_app", "lafe_checkpoints"}


def test_nothing_that_comes_with_the_package_is_left_out(site: Path) -> None:
    for here, there in (("lafe", "lafe"), ("app", "lafe_app"), ("checkpoints", "lafe_checkpoints")):
        files = {p.relative_to(ROOT / here) for p in (ROOT / here).rglob("*") if p.is_file()}
        wanted = {path for path in files if "__pycache__" not in path.parts}
        packed = {p.relative_to(site / there) for p in (site / there).rglob("*") if p.is_file()}
        assert packed - {Path("installed/.streamlit/config.toml")} == wanted
    configuration = (site / "lafe_app" / "installed" / ".streamlit" / "config.toml").read_text()
    assert configuration == (ROOT / ".streamlit" / "config.toml").read_text()


def test_predict_finds_its_checkpoints(site: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), "#808080").save(tmp_path / "photo.png")
    said = run(site, tmp_path, "-m", "lafe.cli.main", "predict", "photo.png", "--checkpoint=birds")
    assert said.startswith("photo.png: ")


APP = """
import sys
from pathlib import Path
sys.modules.update(dict.fromkeys(sys.argv[1].split(",")))  # None: there is no such module
from streamlit.testing.v1 import AppTest
from lafe.cli.app import script

at = AppTest.from_file(str(script()), default_timeout=300).run()
assert not at.exception and not at.error, at
print(script(), len([b for b in at.button if str(b.key).startswith("example-")]))
"""


def test_the_app_starts_with_the_packages_of_its_extra(site: Path, tmp_path: Path) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    own, *others = (
        {Requirement(line).name for line in extras[extra]}
        for extra in ("app", "train", "export", "bench")
    )
    hidden = ",".join(name.replace("-", "_") for name in set.union(*others) - own)
    said = run(site, tmp_path, "-c", APP, hidden)
    assert said.split() == [str(site / "lafe_app" / "installed" / "streamlit_app.py"), "9"]
