"""One meaning of ``--device``, with GPUs and without."""

import pytest
import torch

from lafe.cli.device import DeviceError, device, trainer_devices


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> int:
    """So many GPUs, as PyTorch tells of them."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: request.param > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: request.param)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    return request.param


@pytest.mark.parametrize(
    ("gpus", "text", "found"),
    [
        (0, "auto", "cpu"),
        (0, "cpu", "cpu"),
        (2, "auto", "cuda"),
        (2, "cpu", "cpu"),
        (2, "gpu", "cuda"),
        (2, "cuda", "cuda"),
        (2, "gpu:0", "cuda:0"),
        (2, "cuda:1", "cuda:1"),
        (2, "cuda:01", "cuda:1"),
    ],
    indirect=["gpus"],
)
def test_the_same_words_everywhere(gpus: int, text: str, found: str) -> None:
    assert device(text) == found
    torch.device(found)  # PyTorch's word for it


@pytest.mark.parametrize(
    ("gpus", "text", "reason"),
    [
        (0, "gpu", "no CUDA GPU with a driver"),
        (0, "cuda", "choose --device cpu"),
        (0, "cuda:0", "There is no device cuda:0 here"),
        (0, "mps", "no device mps here"),
        (2, "gpu:2", "the last of 2 is gpu:1"),
        (2, "tpu", "no device 'tpu': choose auto"),
        (2, "", "no device ''"),
        (2, "cuda:", "no device 'cuda:'"),
        (2, "cpu:1", "no device 'cpu:1'"),
        (2, "0", "no device '0'"),
        (2, "GPU", "no device 'GPU'"),
    ],
    indirect=["gpus"],
)
def test_what_is_not_here_is_refused_with_what_is(gpus: int, text: str, reason: str) -> None:
    with pytest.raises(DeviceError, match=reason):
        device(text)


def test_without_a_driver_nothing_else_is_promised() -> None:
    """The machine as it is."""
    assert device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(
    ("gpus", "name", "count", "options"),
    [
        (0, "cpu", None, {"accelerator": "cpu", "devices": 1}),
        (0, "cpu", 2, {"accelerator": "cpu", "devices": 2}),
        (2, "cuda", None, {"accelerator": "gpu", "devices": 1}),
        (2, "cuda", 2, {"accelerator": "gpu", "devices": 2}),
        (2, "cuda:1", None, {"accelerator": "gpu", "devices": [1]}),
    ],
    indirect=["gpus"],
)
def test_lightning_gets_its_own_words(
    gpus: int, name: str, count: int | None, options: dict[str, object]
) -> None:
    assert trainer_devices(name, count) == options


@pytest.mark.parametrize(
    ("gpus", "name", "count", "reason"),
    [(2, "cuda:1", 2, "is one device"), (2, "cuda", 3, "There are 2 GPUs here, not 3")],
    indirect=["gpus"],
)
def test_several_devices_that_are_not_here(gpus: int, name: str, count: int, reason: str) -> None:
    with pytest.raises(DeviceError, match=reason):
        trainer_devices(name, count)
