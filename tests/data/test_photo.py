"""Untrusted bytes -> photo: pixels against arrays written down here, refusals by their words."""

import logging
import os
import struct
import subprocess
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageFile, features
from PIL.PngImagePlugin import PngInfo

from lafe.data import photo as photo_module
from lafe.data.photo import (
    DECODING_PIXELS,
    MAX_ASPECT,
    MAX_BYTES,
    MAX_PIXELS,
    MIN_SIDE,
    WORKING_SIDE,
    PhotoError,
    crop,
    open_photo,
)

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (40, 60, 4), dtype=np.uint8)
SECRET = b"51.5007 N, 0.1246 W"


def encode(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def pixels(data: bytes) -> np.ndarray:
    image = open_photo(data)
    assert image.mode == "RGB"
    return np.asarray(image)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(chunks: bytes, size: tuple[int, int] = (64, 64)) -> bytes:
    """A black greyscale PNG that says it has this size, with more chunks ahead of its pixels."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(bytes(65 * 64)))
    return b"\x89PNG\r\n\x1a\n" + header + chunks + body + png_chunk(b"IEND", b"")


def on_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    opacity = alpha[..., None] / 255
    return colour * opacity + 255 * (1 - opacity)


# What is accepted


def test_rgb_is_returned_as_it_is():
    np.testing.assert_array_equal(pixels(encode(Image.fromarray(NOISE[..., :3]))), NOISE[..., :3])


@pytest.mark.parametrize("depth", [8, 16])
def test_grey_becomes_three_equal_channels(depth):
    grey = RNG.integers(0, 2**depth, (40, 60), dtype=f"uint{depth}")
    data = encode(Image.fromarray(grey))
    np.testing.assert_array_equal(pixels(data), (grey >> depth - 8)[..., None].repeat(3, 2))


@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_colour_keeps_its_high_byte(channels):
    deep = NOISE[..., :channels].astype(np.uint16) * 256 + 77
    data = cv2.imencode(".png", deep)[1].tobytes()  # Pillow cannot write these
    rgb = NOISE[..., 2::-1]  # OpenCV's order is BGR
    expected = rgb if channels == 3 else on_white(rgb, NOISE[..., 3])
    np.testing.assert_allclose(pixels(data), expected, atol=1)


def test_16_bit_grey_with_a_transparent_value_opens():
    grey = RNG.integers(0, 2**16, (40, 60), dtype=np.uint16)
    data = encode(Image.fromarray(grey))
    end_of_header = 33
    data = data[:end_of_header] + png_chunk(b"tRNS", b"\x01\x02") + data[end_of_header:]
    assert pixels(data).shape == (40, 60, 3)


@pytest.mark.parametrize(("format", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_alpha_is_flattened_on_white(format, options):
    data = encode(Image.fromarray(NOISE), format, **options)
    np.testing.assert_allclose(pixels(data), on_white(NOISE[..., :3], NOISE[..., 3]), atol=1)


def test_grey_with_alpha_is_flattened_on_white():
    data = encode(Image.fromarray(NOISE[..., [0, 3]], "LA"))
    grey = NOISE[..., [0, 0, 0]]
    np.testing.assert_allclose(pixels(data), on_white(grey, NOISE[..., 3]), atol=1)


@pytest.mark.parametrize(
    ("transparency", "green"),
    [(None, (0, 128, 0)), (1, (255,) * 3), (b"\xff\x80", (127, 191, 127))],
)
def test_palette(transparency, green):
    index = RNG.integers(0, 2, (40, 60), dtype=np.uint8)
    image = Image.fromarray(index, "P")
    image.putpalette([200, 10, 20, 0, 128, 0])
    options = {} if transparency is None else {"transparency": transparency}
    expected = np.array([(200, 10, 20), green])[index]
    np.testing.assert_allclose(pixels(encode(image, **options)), expected, atol=1)


def test_colour_that_counts_as_transparent():
    rgb = np.full((40, 60, 3), 9, np.uint8)
    rgb[:, 30:] = (1, 2, 3)
    result = pixels(encode(Image.fromarray(rgb), transparency=(1, 2, 3)))
    assert (result[:, :30] == 9).all()
    assert (result[:, 30:] == 255).all()


def test_one_bit():
    bits = RNG.integers(0, 2, (40, 60)).astype(bool)
    np.testing.assert_array_equal(pixels(encode(Image.fromarray(bits)))[..., 0], bits * 255)


@pytest.mark.parametrize(
    ("ink", "rgb"),
    [((0, 0, 0, 0), (255, 255, 255)), ((0, 255, 255, 0), (255, 0, 0)), ((0, 0, 0, 255), (0, 0, 0))],
)
def test_cmyk(ink, rgb):
    result = pixels(encode(Image.new("CMYK", (60, 40), ink), "JPEG"))
    np.testing.assert_allclose(result, np.broadcast_to(rgb, (40, 60, 3)), atol=3)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "MPO"])
def test_of_several_pictures_the_first(format):
    first, second = (Image.new("RGB", (60, 40), colour) for colour in ("red", "blue"))
    result = pixels(encode(first, format, save_all=True, append_images=[second]))
    np.testing.assert_allclose(result, np.broadcast_to((255, 0, 0), (40, 60, 3)), atol=3)


def test_any_length_of_webp():
    """The length stands in the signature, where it may look like a line break."""
    image = Image.new("RGB", (60, 40))
    files = [encode(image, "WEBP", xmp=b" " * length) for length in range(0, 256, 2)]
    assert b"\n"[0] in {data[4] for data in files}
    assert {open_photo(data).size for data in files} == {(60, 40)}


# EXIF's table: which side of the scene the first row and the first column of the file are.
SIDES = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def stored(scene: np.ndarray, orientation: int) -> np.ndarray:
    row, column = SIDES[orientation]
    file = scene if row in ("top", "bottom") else scene.swapaxes(0, 1)
    file = file[::-1] if row in ("bottom", "right") else file
    return file[:, ::-1] if column in ("bottom", "right") else file


@pytest.mark.parametrize("orientation", SIDES)
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_upright(format, orientation):
    corners = np.array([[(250, 0, 0), (0, 250, 0)], [(0, 0, 250), (250, 250, 250)]], np.uint8)
    scene = corners.repeat(32, 0).repeat(48, 1)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored(scene, orientation)))
    result = pixels(encode(image, format, exif=exif))
    assert result.shape == scene.shape
    np.testing.assert_allclose(result[8::32, 8::48], corners, atol=9)


def test_a_large_photo_is_upright_too():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    data = encode(Image.new("RGB", (3 * WORKING_SIDE, 300 * 3)), "JPEG", exif=exif)
    assert open_photo(data).size == (300, WORKING_SIDE)


def tag(number: int, kind: int, value: bytes) -> bytes:
    return struct.pack(">HHI", number, kind, 1) + value


ORIENTATION_6 = tag(ExifTags.Base.Orientation, 3, b"\0\6\0\0")
RESOLUTION_AS_TEXT = tag(ExifTags.Base.XResolution, 2, b"x\0\0\0")


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize(
    ("exif", "size"),
    [
        (b"no TIFF at all", (60, 40)),
        (b"MM\0*\0\0\0\x08\0\1" + ORIENTATION_6, (40, 60)),
        (b"MM\0*\0\0\0\x08\0\2" + ORIENTATION_6 + RESOLUTION_AS_TEXT, (40, 60)),
    ],
)
def test_broken_exif_does_not_cost_the_photo(exif, size):
    data = encode(Image.fromarray(NOISE[..., :3]), "JPEG", exif=b"Exif\0\0" + exif + bytes(4))
    assert open_photo(data).size == size


def exif_of_broken_tags(count: int) -> bytes:
    """Each tag says that it holds more than the file; Pillow warns of each."""
    tags = [struct.pack(">HHII", i, 1, 10**9, 8) for i in range(count)]
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", count) + b"".join(tags) + bytes(4)


def test_broken_exif_says_nothing(tmp_path):
    """In a process of its own: pytest has filters for warnings of its own."""
    for i, format in enumerate(("PNG", "WEBP")):
        exif = exif_of_broken_tags(3_000)
        (tmp_path / f"{i}.x").write_bytes(encode(Image.new("RGB", (64, 64)), format, exif=exif))
    opens = f"import lafe; [lafe.open_photo(f'{tmp_path}/{{i}}.x') for i in range(2)]"
    warns = f"import PIL.Image; PIL.Image.open('{tmp_path}/0.x').getexif()"
    said = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for code in (opens, warns)
    ]
    assert "TiffImagePlugin" in said[1].stderr  # what else would be said, once or per tag
    assert said[0].stderr == said[0].stdout == ""


@pytest.mark.parametrize(("format", "mode"), [("JPEG", "RGB"), ("PNG", "RGBA"), ("PNG", "P")])
def test_a_large_photo_is_reduced(format, mode):
    scene = Image.new("RGB", (4200, 2100), "red")
    scene.paste("blue", (2100, 0, 4200, 2100))
    image = open_photo(encode(scene.convert(mode), format))
    assert image.size == (2048, 1024)
    edge = np.asarray(image)[500, 1014:1034].astype(int)
    np.testing.assert_allclose(edge[[0, -1]], [(255, 0, 0), (0, 0, 255)], atol=6)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_reduction_averages(mode):
    stripes = np.zeros((512, 4096, 3), np.uint8)
    stripes[:, ::2] = 255
    result = pixels(encode(Image.fromarray(stripes).convert(mode)))
    assert result.shape == (256, 2048, 3)
    np.testing.assert_allclose(result[:, 2:-2], 127.5, atol=8)


# Where it comes from


def test_path_text_bytes_and_file_are_the_same(tmp_path):
    data = encode(Image.fromarray(NOISE[..., :3]), "JPEG")
    path = tmp_path / "photo.png"  # the wrong extension
    path.write_bytes(data)
    file = BytesIO(data)
    file.seek(0, os.SEEK_END)  # as an upload is, once it was read
    results = [open_photo(source) for source in (path, str(path), data, file)]
    assert not file.closed
    assert all(result == results[0] for result in results)


def test_a_pipe_that_cannot_rewind():
    class Pipe(BytesIO):
        def seekable(self):
            return False

        def seek(self, *_):
            raise OSError

    assert open_photo(Pipe(encode(Image.fromarray(NOISE[..., :3])))).size == (60, 40)


def test_many_threads():
    photos = [Image.new("RGB", (64, 48), (i, 2 * i, 3 * i)) for i in range(64)]
    limit = Image.MAX_IMAGE_PIXELS
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(open_photo, map(encode, photos)))
    assert results == photos
    assert limit == Image.MAX_IMAGE_PIXELS


# What stays private


def with_secrets(format: str) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = SECRET.decode()
    exif[ExifTags.Base.Software] = "short"  # short values are what Pillow logs
    exif[ExifTags.Base.Orientation] = 3
    options: dict[str, object] = {"exif": exif, "icc_profile": SECRET, "xmp": SECRET}
    if format == "JPEG":
        options["comment"] = SECRET
    if format == "PNG":
        texts = PngInfo()
        texts.add_text("Comment", SECRET.decode())
        texts.add_itxt("XML:com.adobe.xmp", SECRET.decode())
        options = {"exif": exif, "icc_profile": SECRET, "pnginfo": texts}
    return encode(Image.fromarray(NOISE[..., :3]), format, **options)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_no_metadata_survives(format):
    data = with_secrets(format)
    assert SECRET in data
    image = open_photo(data)
    assert image.info == {}
    assert not image.getexif()
    for saved in ("JPEG", "PNG", "WEBP", "TIFF"):
        assert SECRET not in encode(image, saved)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_nothing_is_logged(format, caplog, capfd, recwarn):
    caplog.set_level(logging.DEBUG)
    open_photo(with_secrets(format))
    with pytest.raises(PhotoError):
        open_photo(with_secrets(format)[:-200])
    with pytest.raises(PhotoError):
        open_photo(png_with(b"", (10_000, 10_000)))
    assert not caplog.records
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")


# What is refused


def refusal(data: object, **limits: int) -> str:
    with pytest.raises(PhotoError) as caught:
        open_photo(data, **limits)
    message = str(caught.value)
    assert message.endswith(".")
    assert ". " not in message, "one sentence"
    return message


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated(format, share):
    data = encode(Image.fromarray(NOISE[..., :3]), format)
    assert "incomplete" in refusal(data[: int(share * len(data))])


def test_a_png_whose_checksums_hide_broken_pixels():
    header, end = png_with(b"")[:33], png_chunk(b"IEND", b"")
    broken = zlib.compress(NOISE.tobytes())[:3000] + bytes(3000)
    assert "damaged" in refusal(header + png_chunk(b"IDAT", broken) + end)


@pytest.mark.parametrize("format", ["GIF", "BMP", "TIFF", "PPM", "ICO"])
def test_other_formats_that_pillow_knows(format):
    data = encode(Image.fromarray(NOISE[..., :3]), format)
    Image.open(BytesIO(data)).load()
    assert "JPEG, PNG or WebP" in refusal(data)


@pytest.mark.parametrize(
    "data", [b"hello", b"<svg/>", b"%!PS-Adobe-3.0 EPSF-3.0", b"RIFF....WAVE", bytes(100)]
)
def test_no_photo_at_all(data):
    assert "JPEG, PNG or WebP" in refusal(data)


def container(*brands: bytes) -> bytes:
    """The beginning of a file in HEIF's container: its main brand, then those it fits."""
    main, *others = brands
    body = b"ftyp" + main + bytes(4) + b"".join(others)
    return struct.pack(">I", len(body) + 4) + body + bytes(100)


@pytest.mark.parametrize(
    "brands", [(b"heic",), (b"heix",), (b"mif1",), (b"mif1", b"heic"), (b"heic", b"mif1", b"miaf")]
)
def test_heic_is_named_with_the_way_to_a_jpeg(brands):
    said = refusal(container(*brands))
    assert said.startswith("HEIC photos cannot be read here: save this one as JPEG")
    for system in ("Mac", "Windows", "iPhone"):
        assert system in said


@pytest.mark.parametrize("brands", [(b"avif",), (b"avis",), (b"mif1", b"avif"), (b"avif", b"heic")])
def test_avif_is_named_with_the_way_to_a_jpeg(brands):
    said = refusal(container(*brands))
    assert said.startswith("AVIF pictures cannot be read here: save this one as JPEG")
    for system in ("Mac", "Windows", "web page"):
        assert system in said


@pytest.mark.parametrize("brands", [(b"isom", b"mp42"), (b"qt  ",), (b"mif1"[:3] + b"x",)])
def test_a_film_is_no_photo(brands):
    assert "JPEG, PNG or WebP" in refusal(container(*brands))


@pytest.mark.skipif(not features.check("avif"), reason="Pillow was built without AVIF.")
def test_why_avif_is_refused():
    """Pillow decodes more pixels than the file says it has; should this fail, think again."""
    from PIL.AvifImagePlugin import AvifImageFile

    side = 3000
    data = encode(Image.new("RGB", (side, side), "red"), "AVIF", speed=10)
    assert len(data) < 2000
    small = AvifImageFile(BytesIO(data.replace(*(struct.pack(">II", n, n) for n in (side, 64)))))
    assert small.size == (64, 64)
    small.load()  # were the frame held to what the file says, this would fail
    assert small.getpixel((32, 32))[0] > 200
    assert "AVIF" in refusal(data)


def test_nothing():
    assert "empty" in refusal(b"")
    assert "empty" in refusal(BytesIO())


def test_too_little_memory_is_not_called_damage(monkeypatch):
    def load(*_):
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    assert "memory" in refusal(encode(Image.fromarray(NOISE[..., :3])))


def test_paths_that_are_no_photo(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "folder" in refusal(tmp_path)
    assert "no photo" in refusal(tmp_path / "missing.jpg")
    assert "no photo" in refusal(str(tmp_path / "missing.jpg"))
    assert "no photo" in refusal(tmp_path / "pipe")
    assert "no photo" in refusal("a\0b")
    assert "cannot be read" in refusal("x" * 5000)


def test_bytes_are_counted_before_anything_is_parsed(tmp_path):
    data = encode(Image.fromarray(NOISE[..., :3]))
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    for source in (data, BytesIO(data), path):
        assert open_photo(source, max_bytes=len(data)).size == (60, 40)
        assert "MB" in refusal(source, max_bytes=len(data) - 1)


def test_a_file_is_never_read_beyond_the_limit():
    class Endless(BytesIO):
        def read(self, size=-1, /):
            assert 0 <= size <= MAX_BYTES + 1
            return bytes(size)

    assert f"{MAX_BYTES / 1e6:g} MB" in refusal(Endless())


def jpeg_that_claims(width: int, height: int) -> bytes:
    data = encode(Image.new("RGB", (64, 64)), "JPEG")
    frame = data.index(b"\xff\xc0") + 5
    return data[:frame] + struct.pack(">HH", height, width) + data[frame + 4 :]


def webp_that_claims(width: int, height: int) -> bytes:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    data = encode(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    canvas = data.index(b"VP8X") + 12
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return data[:canvas] + size + data[canvas + 6 :]


def lossless_webp_that_claims(width: int, height: int) -> bytes:
    """34 bytes, whose pixels all have one colour."""
    data = bytearray(encode(Image.new("RGB", (64, 64)), "WEBP", lossless=True))
    (bits,) = struct.unpack_from("<I", data, 21)
    bits = bits & ~0xFFF_FFFF | (width - 1) | (height - 1) << 14
    struct.pack_into("<I", data, 21, bits)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "million"),
    [
        (png_with(b"", (50_000, 50_000)), 30),
        (png_with(b"", (2**31 - 1, 2**31 - 1)), 30),
        (png_with(b"", (5478, 5478)), 30),
        (jpeg_that_claims(60_000, 60_000), 50),
        (jpeg_that_claims(7_072, 7_072), 50),
        (webp_that_claims(5_478, 5_478), 30),
        (webp_that_claims(2**24, 200), 30),
        (lossless_webp_that_claims(7_070, 7_070), 30),
    ],
)
def test_pixels_are_counted_before_they_are_decoded(data, million, monkeypatch):
    def decode(*_):
        pytest.fail("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decode)
    monkeypatch.setitem(photo_module._DECODERS, "WebP", decode)  # it takes memory when it opens
    assert f"more than {million} million" in refusal(data)


@pytest.mark.parametrize(("format", "limit"), [("JPEG", 2400), ("PNG", 4000), ("WEBP", 4000)])
def test_the_limit_on_pixels_is_exact(format, limit):
    data = encode(Image.new("RGB", (60, 40)), format)
    assert open_photo(data, max_pixels=limit).size == (60, 40)
    assert "pixels" in refusal(data, max_pixels=limit - 1)


@pytest.mark.parametrize(
    "options",
    [
        {"quality": 30},
        {"lossless": True},
        {"quality": 80, "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"},
        {"lossless": True, "save_all": True},
    ],
)
@pytest.mark.parametrize("size", [(16, 16), (17, 160), (300, 257), (16383, 1639)])
def test_the_size_of_a_webp_is_known_before_it_is_opened(options, size):
    image = Image.new("RGB", size, "red")
    if "save_all" in options:
        options = options | {"append_images": [Image.new("RGB", size, "blue")]}
    data = encode(image, "WEBP", **options)
    assert photo_module._webp_size(data) == Image.open(BytesIO(data)).size == size


@pytest.mark.parametrize("length", [12, 15, 16, 20, 25, 29])
def test_a_webp_that_ends_within_its_size_is_damaged(length):
    data = encode(Image.new("RGB", (300, 200)), "WEBP")
    assert "damaged" in refusal(data[:length]) or "only" in refusal(data[:length])
    assert "damaged" in refusal(data[:12] + b"ALPH" + data[16:])


def together(*pixels: int, budget: int = 100) -> int:
    """How many photos of so many pixels are decoded at a time, at most."""
    decoding, lock = photo_module._Decoding(budget), threading.Lock()
    at_work = most = 0
    met = threading.Barrier(len(pixels))

    def decode(count: int) -> None:
        nonlocal at_work, most
        met.wait()
        with decoding.room(count, None):
            with lock:
                at_work += 1
                most = max(most, at_work)
            threading.Event().wait(0.05)  # long enough for the others to come in, if they may
            with lock:
                at_work -= 1

    with ThreadPoolExecutor(len(pixels)) as threads:
        list(threads.map(decode, pixels))
    assert decoding._free == budget
    return most


def test_small_photos_are_decoded_side_by_side_and_large_ones_are_not():
    assert together(25, 25, 25, 25) == 4
    assert together(25, 25, 25, 25, 25, 25) == 4
    assert together(60, 60, 60) == 1
    assert together(1000, 1000, 50) == 1  # more than there is: alone


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_photo_has_its_room_from_the_moment_that_takes_memory(format, monkeypatch):
    free: list[int] = []
    plugin = photo_module._DECODERS["WebP"]

    def noting(do):
        def inside(given):
            free.append(photo_module._DECODING._free)
            return do(given)

        return inside

    monkeypatch.setattr(photo_module, "_plain", noting(photo_module._plain))
    monkeypatch.setattr(photo_module, "_reduced", noting(photo_module._reduced))
    monkeypatch.setitem(photo_module._DECODERS, "WebP", noting(plugin))
    open_photo(encode(Image.new("RGB", (60, 40)), format))
    assert free == [DECODING_PIXELS - 60 * 40] * (3 if format == "WEBP" else 2)


def test_who_waits_too_long_is_told_so():
    photo, small = encode(Image.new("RGB", (100, 100))), encode(Image.new("RGB", (60, 40)))
    with photo_module._DECODING.room(DECODING_PIXELS - 2400, None):
        assert refusal(photo, patience=0) == refusal(photo, patience=0.05)
        assert refusal(photo, patience=0).startswith("Too many large photos are being opened")
        assert open_photo(small, patience=0).size == (60, 40)
    assert open_photo(photo, patience=0).size == (100, 100)


def test_whatever_a_file_ends_in_its_room_is_free_again():
    photo = encode(Image.fromarray(NOISE[..., :3]).resize((600, 400)))
    for data in (photo, photo[: len(photo) // 2], webp_that_claims(900, 900), b"RIFF____WEBPVP8 "):
        with suppress(PhotoError):
            open_photo(data)
    assert photo_module._DECODING._free == photo_module._DECODING._all == DECODING_PIXELS


def test_one_photo_of_any_kind_fits_in_the_room():
    assert MAX_PIXELS <= DECODING_PIXELS


@pytest.mark.parametrize("size", [(1, 1), (20_000, 2), (2, 20_000), (MIN_SIDE - 1, 100)])
def test_too_small(size):
    assert f"only {size[0]} x {size[1]} pixels" in refusal(encode(Image.new("RGB", size)))


def test_strips():
    longest = MIN_SIDE * MAX_ASPECT
    assert open_photo(encode(Image.new("RGB", (longest, MIN_SIDE)))).size == (longest, MIN_SIDE)
    assert "strip" in refusal(encode(Image.new("RGB", (longest + 1, MIN_SIDE))))
    assert "strip" in refusal(encode(Image.new("RGB", (MIN_SIDE, longest + 1))))


def scans(count: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    data = encode(Image.fromarray(NOISE[..., :3]), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    had = data.count(b"\xff\xda")
    return data[:start] + data[start:-2] * (count - had + 1) + data[-2:]


def test_a_jpeg_has_few_scans():
    assert open_photo(scans(64)).size == (60, 40)
    assert "parts" in refusal(scans(65))


@pytest.mark.parametrize(
    ("segment", "count"),
    [
        (b"\xff\xfe\x00\x02", 200_000),  # comments
        (b"\xff\xe1\x00\x02", 200_000),
        (b"\xff\xff", 200_000),  # fill
        (b"\xff\xe1\x00\x08Exif\x00\x00", 65),
    ],
)
def test_a_jpeg_of_segments(segment, count):
    data = encode(Image.new("RGB", (64, 64)), "JPEG")
    few, many = (data[:2] + segment * n + data[2:] for n in (10, count))
    assert open_photo(few).size == (64, 64)
    assert "parts" in refusal(many)


@pytest.mark.parametrize(
    ("chunk", "count"),
    [
        (png_chunk(b"abCd", b""), 100_000),
        (png_chunk(b"tEXt", b"key\0text"), 100_000),
        (png_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(1_000_000))), 65),
    ],
)
def test_a_png_of_chunks(chunk, count):
    assert open_photo(png_with(chunk * 10)).size == (64, 64)
    assert "parts" in refusal(png_with(chunk * count))


def test_texts_that_unpack_to_much():
    chunk = png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1_000_000)))
    assert "damaged" in refusal(png_with(chunk * 200))


def test_random_bytes_behind_a_photo_do_no_harm():
    """Phones append short films; the search for costly segments must not take them for such."""
    film = RNG.integers(0, 256, 10_000_000, dtype=np.uint8).tobytes()
    assert len(photo_module._COSTLY.findall(film)) <= 1
    assert open_photo(encode(Image.new("RGB", (64, 64)), "JPEG") + film).size == (64, 64)


# Crops


def test_crop_is_a_slice():
    photo = Image.fromarray(RNG.integers(0, 256, (200, 400, 3), dtype=np.uint8))
    result = crop(photo, (0.25, 0.1, 0.75, 0.6))
    np.testing.assert_array_equal(np.asarray(result), np.asarray(photo)[20:120, 100:300])
    assert crop(photo, (0, 0, 1, 1)) == photo


def test_crops_side_by_side_share_no_pixel_and_miss_none():
    photo = Image.fromarray(RNG.integers(0, 256, (100, 303, 3), dtype=np.uint8))
    left, right = crop(photo, (0, 0, 0.5, 1)), crop(photo, (0.5, 0, 1, 1))
    joined = np.concatenate([np.asarray(left), np.asarray(right)], axis=1)
    np.testing.assert_array_equal(joined, np.asarray(photo))


NAN = float("nan")


@pytest.mark.parametrize(
    "box",
    [
        (-0.1, 0, 1, 1),
        (0, 0, 1.01, 1),
        (0.5, 0, 0.5, 1),
        (0.6, 0, 0.4, 1),
        (0, 0.9, 1, 0.1),
        (0, -1, 1, 1),
        (0, 0, 1, float("inf")),
        (NAN, 0, 1, 1),
        (0, 0, 1, NAN),
    ],
)
def test_crop_outside(box):
    with pytest.raises(PhotoError, match="outside of the photo"):
        crop(Image.new("RGB", (400, 200)), box)


def test_crop_too_small():
    photo = Image.new("RGB", (400, 200))
    assert crop(photo, (0, 0, 0.04, 0.08)).size == (MIN_SIDE, MIN_SIDE)
    with pytest.raises(PhotoError, match="only 15 x 200 pixels"):
        crop(photo, (0, 0, 15 / 400, 1))


def test_a_path_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Text is never taken for anything but a file's name."""
    monkeypatch.chdir(tmp_path)
    assert "no photo" in refusal("https://example.org/photo.jpg")
