"""ONNX files give the model's numbers, read by ONNX Runtime alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import photos, some_settings, tiny_model

from lafe import LAFE, Switches, load
from lafe.checkpoints import export
from lafe.checkpoints.store import save
from lafe.cli.main import main

onnxruntime = pytest.importorskip("onnxruntime", reason="This test needs lafe[export].")
pytest.importorskip("onnxscript", reason="This test needs lafe[export].")

BIRDS = ["Grey Owl", "Käuzchen", "Crow", "Tern", "Gull"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tiny_model(), tmp_path_factory.mktemp("checkpoints") / "birds", BIRDS)


@pytest.mark.parametrize("setting", ["all", "none", "r_dis34.c_con5"])
def test_export_gives_the_model_s_logits(checkpoint: Path, tmp_path: Path, setting: str) -> None:
    file = tmp_path / "new" / "model.onnx"
    command = ["export", str(checkpoint), "--switches", setting, "--out", str(file)]
    assert main(command) == 0
    assert list(file.parent.iterdir()) == [file]  # the weights are inside
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    model, x = load(checkpoint), photos(3, seed=5)
    with torch.no_grad():
        expected = model(x, Switches.parse(setting)).numpy()
    for count in (1, 3):
        (found,) = session.run(["logits"], {"photo": x[:count].numpy()})
        np.testing.assert_allclose(found, expected[:count], atol=1e-4)
    told = session.get_modelmeta().custom_metadata_map
    assert told["switches"] == setting
    assert told["sha256"] == model.card.sha256
    assert json.loads(told["classes"]) == BIRDS
    assert json.loads(told["mean"]) == model.card.mean


def test_a_graph_that_computes_something_else_is_not_written(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(self: torch.nn.Module, photo: torch.Tensor) -> torch.Tensor:
        model = self.model
        assert isinstance(model, LAFE)
        return model(photo, Switches.all().without("c_dis", stages=(5,)))

    monkeypatch.setattr(export._Fixed, "forward", other)
    with pytest.raises(ValueError, match="nothing was written"):
        export.export(load(checkpoint), Switches.all(), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("options", [{}, {"region": False}, {"fusion": False}])
def test_every_setting_is_a_sum_of_what_one_file_gives(
    options: dict[str, bool], tmp_path: Path
) -> None:
    """By the formula that the docs print, worked out with NumPy from the file alone."""
    folder = save(tiny_model(**options), tmp_path / "birds", BIRDS)
    file = tmp_path / "parts.onnx"
    assert main(["export", str(folder), "--every-setting", "--out", str(file)]) == 0
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    told = session.get_modelmeta().custom_metadata_map
    names = {side: json.loads(told[side]) for side in ("dis", "con")}
    model, x = load(folder), photos(3, seed=5)
    f5, dis, con, weight, bias = session.run(
        ["f5", "dis", "con", "weight", "bias"], {"photo": x.numpy()}
    )
    assert dis.shape[:2] == con.shape[:2] == (3, 64)
    for on in [*some_settings(12), Switches.all(), Switches.none()]:
        own = {str(branch) for branch in on}
        i, j = (
            sum(2**bit for bit, name in enumerate(names[side]) if name in own)
            for side in ("dis", "con")
        )
        logits = (f5.mean((2, 3)) + dis[:, i] - con[:, j]) @ weight.T + bias
        with torch.no_grad():
            np.testing.assert_allclose(logits, model(x, on).numpy(), atol=1e-4)


def test_a_plain_backbone_has_no_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = save(tiny_model(attention=False), tmp_path / "plain", BIRDS)
    file = tmp_path / "parts.onnx"
    assert main(["export", str(folder), "--every-setting", "--out", str(file)]) == 2
    assert "has no branches" in capsys.readouterr().err
