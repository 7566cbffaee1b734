"""The hub's client is replaced at the network's border; all else is what users run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
import yaml
from tiny import photos, tiny_model

import lafe
from lafe.checkpoints.card import Card
from lafe.checkpoints.hub import parse
from lafe.checkpoints.store import locate, save
from lafe.checkpoints.stored import CheckpointError
from lafe.cli.main import main

CLASSES = ["Blue Jay", "Cardinal", "Ovenbird", "Grackle", "Crow"]


class Hub:
    """A hub that is a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: list[tuple[str, str, str | None]] = []

    def hf_hub_download(self, repo: str, file: str, revision: str | None = None) -> str:
        self.asked.append((repo, file, revision))
        found = self.root / repo / file
        if not found.is_file():
            raise OSError(f"404: no {repo}\nRequest ID: 1")
        return str(found)

    def create_repo(self, repo: str, **_: Any) -> None:
        (self.root / repo).mkdir(parents=True, exist_ok=True)

    def upload_folder(self, *, repo_id: str, folder_path: Path, **_: Any) -> None:
        for file in Path(folder_path).iterdir():
            (self.root / repo_id / file.name).write_bytes(file.read_bytes())


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    hub = Hub(tmp_path / "hub")
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hub.hf_hub_download)
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: hub)
    return hub


def test_what_is_uploaded_is_what_is_loaded(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = {"test": {"photos": 10, "top1": 0.9, "top5": 1.0}}
    licence = {"licence": "Apache-2.0", "limits": ["Knows five birds."]}
    model = tiny_model()
    folder = save(model, tmp_path / "birds", CLASSES, figures=figures, **licence)
    assert main(["push", str(folder), "hf-hub:somebody/birds"]) == 0
    assert "https://huggingface.co/somebody/birds" in capsys.readouterr().out
    files = {file.name for file in (hub.root / "somebody/birds").iterdir()}
    assert files == {"model.safetensors", "card.json", "README.md"}
    loaded, x = lafe.load("hf-hub:somebody/birds@v1"), photos(1)
    assert hub.asked == [("somebody/birds", "model.safetensors", "v1")]
    torch.testing.assert_close(loaded(x), lafe.load(folder)(x))
    assert loaded.card.classes == CLASSES


def test_the_model_card_has_metadata(hub: Hub, tmp_path: Path) -> None:
    figures = {"test": {"photos": 10, "top1": 0.9, "top5": 1.0}}
    folder = save(tiny_model(), tmp_path / "b", CLASSES, figures=figures, licence="Apache-2.0")
    assert main(["push", str(folder), "hf-hub:somebody/b", "--private"]) == 0
    text = (hub.root / "somebody/b/README.md").read_text()
    _, front, body = text.split("---\n", 2)
    metadata = yaml.safe_load(front)
    assert metadata["license"] == "apache-2.0"
    assert metadata["pipeline_tag"] == "image-classification"
    assert metadata["library_name"] == "lafe"
    (result,) = metadata["model-index"][0]["results"]
    assert [metric["value"] for metric in result["metrics"]] == [0.9, 1.0]
    assert 'lafe.load("hf-hub:somebody/b")' in body
    huggingface_hub.ModelCard(text)  # the hub's own reader


@pytest.mark.parametrize(
    "name",
    [
        *("", "birds", "a/b/c", "../birds", "a/..", "a/.b", "-a/b", "a--b/c", "a/b@", "a/b@../x"),
        *("a/b\n", "a/b?x=1", "http://a/b", "/a/b", "a\\b/c", "a b/c", "ä/b", "a/b@x y"),
        *("a/" + "b" * 96, "a/b@" + "c" * 101, "a/b@-x", "a@b/c"),
    ],
)
def test_hostile_names_are_refused_before_anything_is_asked(hub: Hub, name: str) -> None:
    with pytest.raises(CheckpointError, match="names nothing on the hub"):
        lafe.load(f"hf-hub:{name}")
    assert not hub.asked


def test_names_that_the_hub_has_are_read() -> None:
    assert parse("hf-hub:timm/resnet50.a1_in1k") == ("timm/resnet50.a1_in1k", None)
    assert parse("hf-hub:a/b-c_d.e@refs/pr/1") == ("a/b-c_d.e", "refs/pr/1")


def test_what_cannot_be_fetched_is_said(hub: Hub) -> None:
    with pytest.raises(CheckpointError, match=r"cannot be fetched from the hub \(404: no a/b\)"):
        lafe.load("hf-hub:a/b")


def test_another_s_file_is_checked_like_any(hub: Hub) -> None:
    (hub.root / "a/b").mkdir(parents=True)
    (hub.root / "a/b/model.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(CheckpointError):
        lafe.load("hf-hub:a/b")


def test_nothing_else_goes_to_the_hub(hub: Hub) -> None:
    for name in ("somebody/birds", "hf-hub", "hf_hub:a/b", "birds-that-are-nowhere"):
        with pytest.raises(CheckpointError):
            lafe.load(name)
    with pytest.raises(CheckpointError, match="nothing is written"):
        locate("hf-hub:a/b")
    assert not hub.asked
    assert isinstance(lafe.load("partbirds").card, Card)
