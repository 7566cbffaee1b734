"""Checkpoints: what is saved comes back, and whatever does not fit is refused with its reason."""

import hashlib
import json
import pickle
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import lafe
from lafe.checkpoints.card import CardError
from lafe.checkpoints.store import CARD, WEIGHTS, CheckpointError, available, load, load_card, save

CLASSES = ["Black footed Albatross", "Laysan Albatross", "Sooty Albatross"]


@pytest.fixture
def model() -> lafe.LAFE:
    torch.manual_seed(0)
    return lafe.LAFE("test_resnet", 3, 64).eval()


@pytest.fixture
def folder(model: lafe.LAFE, tmp_path: Path) -> Path:
    return save(model, tmp_path / "checkpoints" / "tiny", CLASSES, resize=72, limits=["Tiny."])


def _edit_card(folder: Path, **fields: object) -> None:
    card = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps(card | fields))


def _edit_weights(folder: Path, **tensors: torch.Tensor | None) -> None:
    """Change tensors (None removes one) and let the card's hash follow."""
    stored = load_file(folder / WEIGHTS) | tensors
    save_file({k: v for k, v in stored.items() if v is not None}, folder / WEIGHTS)
    _edit_card(folder, sha256=hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest())


def test_weights_come_back_rounded_to_float16_but_for_the_gates_first_fcs(
    model: lafe.LAFE, folder: Path
) -> None:
    loaded = load(folder)
    assert not loaded.training
    for key, value in loaded.state_dict().items():
        own = model.state_dict()[key]
        half = own.is_floating_point() and ".gate.reduce." not in key
        expected = own.half().float() if half else own
        assert value.dtype == own.dtype
        assert torch.equal(value, expected), key


def test_the_card_says_what_the_model_is(folder: Path) -> None:
    loaded = load(folder)
    assert loaded.card.classes == CLASSES
    assert loaded.card.input_size == 64
    assert loaded.card.resize == 72
    assert loaded.card.name == "tiny"
    assert load_card(folder) == loaded.card


def test_names_are_found_in_the_order_of_the_folders(
    model: lafe.LAFE, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(model, tmp_path / "work" / "checkpoints" / "tiny", CLASSES, title="working folder")
    save(model, tmp_path / "operator" / "tiny", CLASSES, title="operator")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.delenv("LAFE_CHECKPOINTS", raising=False)
    assert load("tiny").card.title == "working folder"
    monkeypatch.setenv("LAFE_CHECKPOINTS", str(tmp_path / "operator"))
    assert load("tiny").card.title == "operator"
    assert available()["tiny"] == tmp_path / "operator" / "tiny"


def test_an_unknown_name_says_where_it_was_sought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAFE_CHECKPOINTS", str(tmp_path / "mine"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError) as error:
        load("nope")
    assert str(tmp_path / "mine") in str(error.value)
    assert str(tmp_path / "checkpoints") in str(error.value)


def test_a_name_does_not_leave_the_folders(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAFE_CHECKPOINTS", str(folder))  # its parent holds "tiny"
    monkeypatch.chdir(folder)
    assert load("../tiny").card.name == "tiny"  # a path that the caller gave is a path
    with pytest.raises(CheckpointError):
        load("sub/tiny")


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({"classifier.bias": None}, "misses 'classifier.bias'"),
        ({"extra": torch.zeros(1)}, "too many: 'extra'"),
        ({"classifier.bias": torch.zeros(4)}, "has shape [4]"),
        ({"classifier.bias": torch.tensor([0.0, torch.nan, 0.0])}, "not finite"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    folder: Path, tensors: dict[str, torch.Tensor | None], reason: str
) -> None:
    _edit_weights(folder, **tensors)
    with pytest.raises(CheckpointError, match=r"classifier|extra") as error:
        load(folder)
    assert reason in str(error.value)


def test_another_file_than_the_card_describes_is_refused(folder: Path) -> None:
    with (folder / WEIGHTS).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(CheckpointError, match="sha256"):
        load(folder)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"classes": CLASSES[:2]}, "2 class names for 3 classes"),
        ({"model": {"backbone": "test_resnet", "num_classes": 3, "input_size": 65}}, "65"),
        (
            {"model": {"backbone": "../../etc", "num_classes": 3, "input_size": 64}},
            "does not match",
        ),
        ({"model": {"backbone": "test_resnet", "num_classes": 3, "input_size": 64, "x": 1}}, "'x'"),
        ({"sha256": "nonsense"}, "does not match"),
        ({"surprise": True}, "surprise"),
        ({"resize": 32}, "smaller than the input"),
    ],
)
def test_a_card_that_breaks_the_schema_is_refused(
    folder: Path, fields: dict[str, object], reason: str
) -> None:
    _edit_card(folder, **fields)
    with pytest.raises(CheckpointError) as error:
        load(folder)
    assert reason in str(error.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000])
def test_a_card_that_is_no_json_object_is_refused(folder: Path, text: str) -> None:
    (folder / CARD).write_text(text)
    with pytest.raises(CheckpointError):
        load(folder)


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("exploded"),))


def test_a_pickle_is_refused_and_never_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (folder / WEIGHTS).write_bytes(pickle.dumps(_Bomb()))
    _edit_card(folder, sha256=hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest())
    with pytest.raises(CheckpointError, match="no safetensors file"):
        load(folder)
    (tmp_path / "model.pth").write_bytes(pickle.dumps(_Bomb()))
    with pytest.raises(CheckpointError, match="pickle"):
        load(tmp_path / "model.pth")
    assert not (tmp_path / "exploded").exists()


def test_weights_beyond_float16_are_not_saved_as_infinity(model: lafe.LAFE, tmp_path: Path) -> None:
    with torch.no_grad():
        model.classifier.weight[0, 0] = 1e6
    with pytest.raises(CheckpointError, match="float16"):
        save(model, tmp_path / "big", CLASSES)


def test_a_card_is_checked_before_it_is_written(model: lafe.LAFE, tmp_path: Path) -> None:
    with pytest.raises(CardError, match="class names"):
        save(model, tmp_path / "wrong", CLASSES[:1])


def test_preprocess_is_a_squash_a_centre_crop_and_a_normalisation(folder: Path) -> None:
    model = load(folder)
    photo = Image.effect_noise((300, 200), 80).convert("RGB")
    x = model.preprocess(photo)
    assert x.shape == (1, 3, 64, 64)
    square = photo.resize((72, 72), Image.Resampling.BILINEAR).crop((4, 4, 68, 68))
    pixels = torch.tensor(list(square.get_flattened_data()), dtype=torch.float32) / 255
    expected = (pixels - torch.tensor(model.card.mean)) / torch.tensor(model.card.std)
    assert torch.allclose(x[0].permute(1, 2, 0).reshape(-1, 3), expected, atol=1e-5)


def test_the_view_is_the_part_of_the_photo_behind_the_crop(folder: Path) -> None:
    assert load(folder).preprocess.view_box((720, 360)) == pytest.approx((40, 20, 680, 340))
