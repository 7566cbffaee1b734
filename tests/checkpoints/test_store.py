"""Checkpoints: what is saved comes back, and whatever does not fit is refused with its reason."""

import json
import pickle
import random
import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import lafe
from lafe.branches import EVERY_BRANCH, Branch
from lafe.checkpoints.card import CardError
from lafe.checkpoints.reading import read, read_card
from lafe.checkpoints.store import available, folded, load, load_card, save
from lafe.checkpoints.stored import CARD, FORMAT, WEIGHTS, CheckpointError, fingerprint
from lafe.model.attention import ChannelGate, RegionGate

CLASSES = ["Black footed Albatross", "Laysan Albatross", "Sooty Albatross"]


@pytest.fixture
def model() -> lafe.LAFE:
    torch.manual_seed(0)
    return lafe.LAFE("test_resnet", 3, 64).eval()


@pytest.fixture
def folder(model: lafe.LAFE, tmp_path: Path) -> Path:
    return save(model, tmp_path / "checkpoints" / "tiny", CLASSES, resize=72, limits=["Tiny."])


def _edit_card(folder: Path, **fields: object) -> None:
    """What a hostile author could write: any card over these weights, with a hash that fits."""
    tensors = load_file(folder / WEIGHTS)
    values = load_card(folder).to_dict()
    if "classes" in fields and "sha256" not in fields:
        fields["sha256"] = fingerprint(fields["classes"], tensors)  # type: ignore[arg-type]
    _write(folder, tensors, json.dumps(values | fields))


def _edit_weights(folder: Path, **tensors: torch.Tensor | None) -> None:
    """Change tensors (None removes one) and let the card's hash follow."""
    card = load_card(folder).to_dict()
    stored = {k: v for k, v in (load_file(folder / WEIGHTS) | tensors).items() if v is not None}
    _write(folder, stored, json.dumps(card | {"sha256": fingerprint(CLASSES, stored)}))


def _write(folder: Path, tensors: dict[str, torch.Tensor], card: str, form: str = FORMAT) -> None:
    save_file(tensors, folder / WEIGHTS, {"format": "pt", "lafe": form, "card": card})


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


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.int64, torch.bool])
def test_numbers_of_another_type_are_refused(folder: Path, dtype: torch.dtype) -> None:
    _edit_weights(folder, **{"classifier.bias": torch.zeros(3, dtype=dtype)})
    with pytest.raises(CheckpointError, match=r"classifier\.bias.*holds numbers of type"):
        load(folder)


def test_a_type_that_torch_does_not_know_is_refused(folder: Path) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data.replace(b'"F16"', b'"X16"', 1))
    with pytest.raises(CheckpointError, match="no safetensors file"):
        load(folder)


def test_other_weights_or_classes_than_the_cards_are_refused(folder: Path) -> None:
    file = folder / WEIGHTS
    good = file.read_bytes()
    file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))  # one bit of the last weight
    with pytest.raises(CheckpointError, match="sha256 differs"):
        load(folder)
    file.write_bytes(good)
    _edit_card(folder, classes=CLASSES[::-1], sha256=load_card(folder).sha256)
    with pytest.raises(CheckpointError, match=r"class list are not those .*sha256 differs"):
        load(folder)


def test_a_file_of_a_later_format_is_refused_with_what_to_do(folder: Path) -> None:
    card = json.dumps(load_card(folder).to_dict())
    _write(folder, load_file(folder / WEIGHTS), card, "3")
    with pytest.raises(CheckpointError, match=r"format '3', and .* reads '2': install a newer"):
        load(folder)


def test_the_card_for_people_is_a_copy_that_nothing_reads(folder: Path) -> None:
    card = load_card(folder)
    assert json.loads((folder / CARD).read_text()) == card.to_dict()
    (folder / CARD).write_text(json.dumps(card.to_dict() | {"title": "Another"}))
    assert load(folder).card == card
    (folder / CARD).unlink()
    assert load(folder).card == card
    read(folder).write(folder)
    assert json.loads((folder / CARD).read_text()) == card.to_dict()


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
        (
            {"classes": ["gold finch", "robin", "gold_finch"]},
            "'gold finch' and 'gold_finch' differ",
        ),
        ({"classes": ["robin", "Robin", "wren"]}, "'robin' and 'Robin' differ in case"),
        ({"surprise": True}, "surprise"),
        ({"resize": 32}, "smaller than the input"),
        ({"resize": 96.0}, "96.0 is not of type 'integer'"),
        ({"resize": True}, "True is not of type 'integer'"),
        ({"std": [0.5, 0.0, 0.5]}, "std.1: 0.0 is less than the minimum"),
        ({"std": [0.5, float("nan"), 0.5]}, "it holds NaN"),
        ({"mean": [float("inf"), 0.5, 0.5]}, "it holds Infinity"),
        ({"mean": [0.5, 0.5]}, "mean"),
        ({"training": {"hours": 10**400}}, "a number of 401 digits"),
        ({"training": {"hours": -1}}, "training.hours"),
        ({"training": {"photos": "many"}}, "training.photos"),
        ({"figures": {"test": {"top1": "best"}}}, "figures.test.top1"),
        ({"data": {"licence": ["x"]}}, "data.licence"),
        ({"title": "half of a smiley: \ud83d"}, "surrogates not allowed"),
        ({"title": "x" * 5000}, "title"),
        ({"recipe": {"a": [[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]}}, "nested more than 20"),
    ],
)
def test_a_card_that_breaks_the_schema_is_refused(
    folder: Path, fields: dict[str, object], reason: str
) -> None:
    _edit_card(folder, **fields)
    with pytest.raises(CheckpointError) as error:
        load(folder)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "null",
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"mean": 1e999}',
        "9" * 5000,
        "\x00",
    ],
    ids=lambda text: text[:9],
)
def test_a_card_that_is_no_json_object_is_refused(folder: Path, text: str) -> None:
    _write(folder, load_file(folder / WEIGHTS), text)
    with pytest.raises(CheckpointError, match="no card of a LAFE checkpoint") as error:
        load(folder)
    assert len(str(error.value)) < 500


HUGE = {"backbone": "test_resnet", "num_classes": 3, "input_size": 4096}


@pytest.mark.parametrize(
    "claimed",
    [
        HUGE,
        HUGE | {"input_size": 64, "num_classes": 9_000},
        HUGE | {"input_size": 64, "backbone": "vit_giant_patch14_clip_224"},
        HUGE | {"input_size": 64, "backbone": "no_such_network"},
        HUGE | {"input_size": 64, "fusion": False},
    ],
    ids=lambda claimed: "-".join(str(v) for v in claimed.values()),
)
def test_a_card_that_claims_another_model_is_refused_before_memory_is_taken(
    folder: Path, claimed: dict[str, Any]
) -> None:
    """The first would be 39 GB of region gates."""
    classes = [str(k) for k in range(claimed["num_classes"])]
    _edit_card(folder, model=claimed, resize=4096, classes=classes)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match=r"shape|built|misses|too many"):
        load(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # kB


def test_nothing_that_is_written_into_a_file_ends_in_another_error(folder: Path) -> None:
    """Bits flipped and ends cut at random: a checkpoint loads, or is refused."""
    file = folder / WEIGHTS
    good = file.read_bytes()
    rng = random.Random(0)
    header = 8 + int.from_bytes(good[:8], "little")
    refused = 0
    for i in range(150):
        data = bytearray(good)
        if i % 5 == 0:
            del data[rng.randrange(len(data)) :]
        else:
            at = rng.randrange(header) if i % 5 < 4 else rng.randrange(len(data))
            data[at] ^= 1 << rng.randrange(8)
        file.write_bytes(data)
        try:
            read_card(folder)
            read(folder)
        except CheckpointError:
            refused += 1
    assert refused > 100


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("exploded"),))


def test_a_pickle_is_refused_and_never_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (folder / WEIGHTS).write_bytes(pickle.dumps(_Bomb()))
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
    pixels = torch.tensor(list(square.tobytes()), dtype=torch.float32).view(-1, 3) / 255
    expected = (pixels - torch.tensor(model.card.mean)) / torch.tensor(model.card.std)
    assert torch.allclose(x[0].permute(1, 2, 0).reshape(-1, 3), expected, atol=1e-5)


def test_the_view_is_the_part_of_the_photo_behind_the_crop(folder: Path) -> None:
    assert load(folder).preprocess.view_box((720, 360)) == pytest.approx((40, 20, 680, 340))


def test_what_was_measured_comes_back(folder: Path) -> None:
    g = torch.Generator().manual_seed(0)
    model = load(folder)
    assert (model.class_means, model.temperatures, model.mean_gates) == (None, None, {})
    photo = lafe.prepare(model, torch.randn(1, 3, 64, 64, generator=g))
    gates = {b: photo.gate(b) + torch.rand(1, generator=g) for b in EVERY_BRANCH}
    means = torch.randn(3, 96, generator=g)
    temperatures = torch.rand(4096, generator=g) + 0.5
    stored = replace(read(folder), class_means=means, temperatures=temperatures, mean_gates=gates)
    loaded = load(stored.write(folder / "measured"))
    assert loaded.class_means is not None
    assert loaded.temperatures is not None
    assert torch.equal(loaded.class_means, means.half().float())
    assert torch.equal(loaded.temperatures, temperatures)
    assert loaded.mean_gates.keys() == set(EVERY_BRANCH)
    for key, gate in gates.items():
        assert torch.equal(loaded.mean_gates[key], gate)
    # They are not weights: the hash is the same, and so is the state dict.
    assert loaded.card == model.card
    assert loaded.state_dict().keys() == model.state_dict().keys()
    moved = loaded.to("meta")
    assert moved.temperatures is not None
    assert moved.temperatures.is_meta
    assert all(gate.is_meta for gate in moved.mean_gates.values())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"class_means": torch.zeros(3, 95)}, r"'class_means' has shape \[3, 95\]"),
        ({"class_means": torch.full((3, 96), torch.nan)}, "not finite"),
        ({"temperatures": torch.ones(4095)}, "4,096 numbers above zero"),
        ({"temperatures": torch.zeros(4096)}, "4,096 numbers above zero"),
        ({"temperatures": torch.full((4096,), torch.inf)}, "not finite"),
        (
            {"mean_gates": {Branch(5, "r", "dis"): torch.zeros(1, 1, 2, 2)}},
            "gate of r_dis3",
        ),
    ],
)
def test_what_was_measured_is_checked_like_weights(
    folder: Path, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(CheckpointError, match=reason):
        load(replace(read(folder), **changes).write(folder))


def test_a_card_that_needs_class_means_has_them(folder: Path) -> None:
    _edit_card(folder, unknown={"score": "class_means", "threshold": 0.5})
    with pytest.raises(CheckpointError, match="lacks the class means"):
        load(folder)


def test_statistics_beyond_float16_are_kept(model: lafe.LAFE, tmp_path: Path) -> None:
    with torch.no_grad():
        model.backbone.body.bn1.running_var[0] = 3e5  # type: ignore[union-attr,operator,index]
    loaded = load(save(model, tmp_path / "wide", CLASSES))
    assert float(loaded.backbone.body.bn1.running_var[0]) == 3e5  # type: ignore[union-attr,arg-type,index]


def test_gates_are_folded_and_the_model_that_is_saved_stays_as_it_is(
    model: lafe.LAFE, tmp_path: Path
) -> None:
    for module in model.modules():
        if isinstance(module, (RegionGate, ChannelGate)):
            module.standardise()
    x = torch.randn(8, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for _ in range(100):
        model.train()(x)
    before = {k: v.clone() for k, v in model.eval().state_dict().items()}
    expected = model(x)
    loaded = load(save(model, tmp_path / "folded", CLASSES))
    assert loaded.state_dict().keys() == {k for k in before if ".standard." not in k}
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    spread = float((expected.max() - expected.min()).detach())
    assert torch.allclose(folded(model)(x), expected, atol=1e-5)
    assert torch.allclose(loaded(x), expected, atol=1e-2 * spread)  # the rest is float16


def test_the_setting_that_training_drew_is_known(folder: Path) -> None:
    assert load_card(folder).drew(7) is None
    _edit_card(folder, training={"settings": f"{1 << 7 | 1 << 4095:01024x}"})
    drew = load_card(folder).drew
    assert [i for i in range(4096) if drew(i)] == [7, 4095]


@pytest.mark.parametrize("backbone", ["tf_efficientnet_lite0", "tf_efficientnet_lite2"])
def test_a_checkpoint_of_a_small_network_is_at_most_32_MB(backbone: str, tmp_path: Path) -> None:
    """At the sizes of the shipped recipes, with all that is measured."""
    model = lafe.LAFE(backbone, 200, 320).eval()
    gates = {}
    for branch in EVERY_BRANCH:
        channels, size = model.backbone.channels[branch.stage - 3], 320 // 2**branch.stage
        shape = (1, 1, size, size) if branch.kind == "r" else (1, channels, 1, 1)
        gates[branch] = torch.zeros(shape)
    folder = save(model, tmp_path / "small", [str(k) for k in range(200)])
    replace(
        read(folder),
        class_means=torch.zeros(200, 1280),
        temperatures=torch.ones(4096),
        mean_gates=gates,
    ).write(folder)
    assert (folder / WEIGHTS).stat().st_size <= 32e6
