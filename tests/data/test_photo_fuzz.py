"""Mutated encodings of synthetic pictures give a photo or a PhotoError, and nothing else.

Every file is held to a bound on memory, measured by the kernel, and to a guard against hanging.
"""

import gc
import random
import signal
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from lafe.data.photo import MIN_SIDE, PhotoError, open_photo

MUTANTS = 150  # of every encoding
MAX_PIXELS = 4_000_000  # of formats that are decoded whole
MOST = 5 * MAX_PIXELS // 3 + 1  # of a JPEG
# The costliest format, WebP, takes 17 bytes a pixel at its peak.  The rest is for what is no pixel.
MAX_MEMORY = 20 * MAX_PIXELS + 40_000_000
HANGS_AFTER = 120  # seconds; a guard, no benchmark

PEAK = Path("/proc/self/status")
RESET_PEAK = Path("/proc/self/clear_refs")


def encodings() -> dict[str, bytes]:
    ramp = np.linspace(0, 255, 64, dtype=np.uint8)
    pixels = np.dstack([*np.meshgrid(ramp, ramp[:48]), np.full((48, 64, 2), 200, np.uint8)])
    scene = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "somebody"

    def encode(mode: str, format: str, **options: object) -> bytes:
        file = BytesIO()
        scene.convert(mode).save(file, format, exif=exif, **options)
        return file.getvalue()

    frames = {"save_all": True, "append_images": [scene.convert("RGB").rotate(90)]}
    return {
        "JPEG": encode("RGB", "JPEG"),
        "JPEG progressive": encode("RGB", "JPEG", progressive=True, icc_profile=bytes(100)),
        "JPEG grey": encode("L", "JPEG", restart_marker_blocks=2),
        "JPEG CMYK": encode("CMYK", "JPEG", xmp=b'tiff:Orientation="3"'),
        "JPEG several": encode("RGB", "MPO", **frames),
        "PNG": encode("RGB", "PNG", icc_profile=bytes(100)),
        "PNG alpha": encode("RGBA", "PNG"),
        "PNG palette": encode("P", "PNG", transparency=bytes(range(256))),
        "PNG one bit": encode("1", "PNG", transparency=0),
        "PNG 16 bit": cv2.imencode(".png", pixels[..., 0].astype(np.uint16) * 257)[1].tobytes(),
        "PNG 16 bit alpha": cv2.imencode(".png", pixels.astype(np.uint16) * 257)[1].tobytes(),
        "PNG animated": encode("RGB", "PNG", **frames),
        "WebP": encode("RGB", "WEBP"),
        "WebP lossless": encode("RGBA", "WEBP", lossless=True, xmp=b'tiff:Orientation="3"'),
        "WebP animated": encode("RGBA", "WEBP", **frames),
        "GIF": encode("P", "GIF"),
        "TIFF": encode("RGB", "TIFF"),
    }


def flip_bits(data: bytearray, dice: random.Random) -> None:
    for _ in range(dice.choice([1, 1, 2, 8, 64])):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def extreme_number(data: bytearray, dice: random.Random) -> None:
    """Sizes, counts and offsets are where parsers break; most of them stand early in a file."""
    number = dice.choice(["B", "<H", ">H", "<I", ">I"])
    value = dice.choice([0, 1, -1, 2**31, 2**31 - 1, 40_000, 2_000, 255, 256, 65_535])
    raw = struct.pack(number, value % 256 ** struct.calcsize(number))
    start = dice.randrange(min(len(data), dice.choice([40, 200, len(data)])))
    data[start : start + len(raw)] = raw


def cut(data: bytearray, dice: random.Random) -> None:
    del data[dice.randrange(len(data)) :]


def drop(data: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(data))
    del data[start : start + dice.randrange(1, 100)]


def repeat(data: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(data))
    data[start:start] = data[start : start + dice.randrange(1, 200)] * dice.choice([1, 2, 500])


def noise(data: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(data))
    data[start : start + dice.randrange(1, 50)] = dice.randbytes(dice.randrange(50))


MUTATIONS: list[Callable[[bytearray, random.Random], None]] = [
    flip_bits,
    flip_bits,
    extreme_number,
    extreme_number,
    extreme_number,
    cut,
    drop,
    repeat,
    noise,
]


def with_right_sums(png: bytes) -> bytes:
    """Mend the checksums of a mutated PNG, which else would end nearly every test at once."""
    result, position = bytearray(png[:8]), 8
    while position + 12 <= len(png):
        (length,) = struct.unpack_from(">I", png, position)
        body = png[position + 4 : position + 8 + length]
        result += png[position : position + 4] + body + struct.pack(">I", zlib.crc32(body))
        position += 12 + length
    return bytes(result)


def mutants(original: bytes, others: list[bytes], dice: random.Random) -> Iterator[bytes]:
    for _ in range(MUTANTS):
        data = bytearray(original)
        for _ in range(dice.choice([1, 1, 1, 2, 4])):
            dice.choice(MUTATIONS)(data, dice)
            data = data or bytearray(b"\0")
        if dice.random() < 0.1:
            other = dice.choice(others)
            data[dice.randrange(len(data)) :] = other[dice.randrange(len(other)) :]
        is_png = data.startswith(b"\x89PNG")
        yield with_right_sums(data) if is_png and dice.random() < 0.8 else bytes(data)


@contextmanager
def hang_guard() -> Iterator[None]:
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail(f"hangs after {HANGS_AFTER} s"))
    signal.alarm(HANGS_AFTER)
    try:
        yield
    finally:
        signal.alarm(0)


def memory(key: str) -> int:
    """VmRSS: bytes in memory; VmHWM: the most since RESET_PEAK was written."""
    return int(PEAK.read_text().split(f"{key}:")[1].split()[0]) * 1024


@contextmanager
def memory_guard() -> Iterator[None]:
    if not RESET_PEAK.exists():  # not Linux
        yield
        return
    RESET_PEAK.write_text("5")
    before = memory("VmRSS")
    yield
    assert memory("VmHWM") - before <= MAX_MEMORY


def opened(data: bytes) -> bool:
    try:
        photo = open_photo(data, max_pixels=MOST)
    except PhotoError:
        return False
    assert type(photo) is Image.Image
    assert photo.mode == "RGB"
    assert min(photo.size) >= MIN_SIDE
    assert photo.width * photo.height <= MOST
    assert photo.info == {}
    assert np.asarray(photo).shape == (photo.height, photo.width, 3)
    return True


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # on EXIF that was damaged
@pytest.mark.parametrize("name", encodings())
def test_mutants(name):
    originals = encodings()
    dice = random.Random(name)
    count = 0
    for number, data in enumerate(mutants(originals[name], list(originals.values()), dice)):
        try:
            with hang_guard(), memory_guard():
                count += opened(data)
        except BaseException:
            print(f"mutant {number} of {name}: {data[:60]!r}")
            raise
    if name in ("GIF", "TIFF"):
        assert count == 0
    else:  # mutations that never spoil a file, or always do, test nothing
        assert 0 < count < MUTANTS


def test_there_are_enough():
    assert len(encodings()) * MUTANTS >= 1000


def test_the_originals_open():
    assert [name for name, data in encodings().items() if not opened(data)] == ["GIF", "TIFF"]


@pytest.mark.parametrize(
    ("mode", "format", "options"),
    [
        ("RGB", "JPEG", {}),
        ("CMYK", "JPEG", {"progressive": True}),
        ("RGBA", "PNG", {}),
        ("RGB", "WEBP", {}),
        ("RGBA", "WEBP", {"lossless": True, "method": 0}),
    ],
)
def test_the_largest_photos_stay_within_the_bound(mode, format, options):
    file = BytesIO()
    Image.new(mode, (2000, MAX_PIXELS // 2000)).save(file, format, **options)
    with memory_guard():
        assert opened(file.getvalue())


def test_the_memory_guard_can_fail():
    if not RESET_PEAK.exists():
        pytest.skip("the kernel does not say how much memory was taken")
    gc.collect()  # what earlier tests left would be freed meanwhile, and hide the growth
    with pytest.raises(AssertionError), memory_guard():
        np.ones(2 * MAX_MEMORY // 8)
