"""Untrusted bytes -> photo.

Whatever a visitor uploads becomes an upright RGB photo of bounded size, or a `PhotoError` whose one
sentence says what to do.  Bytes are counted before a file is parsed, pixels before they are
decoded.

Three decoders only, JPEG, PNG and WebP, chosen by a file's first bytes and never by its name.

HEIC is not one of them: the binding that is kept, pillow-heif, brings a GPL encoder in its wheels,
and the decoders behind it had memory errors that crafted files reach several times in 2026.  Nor is
AVIF: Pillow's decoder believes the container about the size and decodes whatever size the video
frame inside has.  2 kB that say 64 x 64 had it decode 81 million pixels, and a file may hold many.

Memory stays bounded by two caps on pixels, of one photo and of all that are decoded at a time in
this process.  A pixel took at most 9 bytes as JPEG, 10 as PNG and 16 as WebP while it was decoded,
and 9 MB are left of the largest photo.

Colour profiles are dropped, not applied, as the loaders of the training photos do.
"""

import logging
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from lafe.errors import LafeError

MAX_BYTES = 30_000_000
MAX_PIXELS = 50_000_000  # of a JPEG; 8160 x 6120, what large phone sensors give, passes
DECODING_PIXELS = 60_000_000  # at a time in this process
PATIENCE = 10.0  # seconds
MIN_SIDE = 16  # pixels; the smallest photo of Stanford Cars, cropped to its box, has 23
MAX_ASPECT = 10  # longer side / shorter side
WORKING_SIDE = 2048  # pixels; larger photos are reduced until their longer side has this many

Box = tuple[float, float, float, float]
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)

# The plugins themselves: Image.open prints warnings, and asks whatever plugin others registered.
# JPEG's own class reads the first picture of an MPO, which many phones write, like any JPEG.
_DECODERS: dict[str, Callable[[BinaryIO], ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WebP": WebPImageFile,
}
_SIGNATURES = {
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "WebP": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
}
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
HEAD = 64  # bytes at the beginning of a file that tell its format

_AS_JPEG = (
    "save this one as JPEG (Mac: Preview, File, Export; Windows: Photos, Save as; an iPhone takes "
    "JPEGs from now on with Settings, Camera, Formats, Most Compatible)."
)
HEIC = f"HEIC photos cannot be read here: {_AS_JPEG}"
AVIF = (
    "AVIF pictures cannot be read here: save this one as JPEG (Mac: Preview, File, Export; "
    "Windows: Paint, Save as; from a web page: a screenshot, or the page's own JPEG)."
)

# What costs far more work than its bytes, and comes a few times in a photo but could come a million
# times in a file: a scan of a progressive JPEG (each goes over the whole photo), an EXIF segment
# (Pillow copies all earlier ones), a compressed colour profile.
_COSTLY = re.compile(
    rb"\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)|Exif\x00\x00|iCCP", re.DOTALL
)
_MAX_COSTLY = 64
_MAX_READS = 100_000

# At level DEBUG, Pillow logs the values of EXIF tags: the place, the camera.  It warns of every tag
# that is broken, of which a file may have 65,535.
logging.getLogger("PIL").setLevel(logging.INFO)
warnings.filterwarnings("ignore", module=r"PIL\.")


# Pillow keeps a picture in blocks.  Those of 16 MB, its usual ones, are so small that the C library
# keeps them for the thread that freed them: photos in 8 threads left 0.7 GB behind.
Image.core.set_block_size(64 * 1024**2)  # type: ignore[attr-defined]


class PhotoError(LafeError):
    """A file that is no usable photo; the message says to a visitor why, and what to do."""


def open_photo(
    source: str | Path | bytes | BinaryIO,
    *,
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
    patience: float | None = PATIENCE,
) -> Image.Image:
    """Read a photo that nobody vouches for.

    Photos are decoded side by side while they have `DECODING_PIXELS` together; others wait.

    Args:
        source: path, the encoded bytes, or a binary file, which is read from its start.
        max_bytes: largest encoded size.
        max_pixels: largest width x height of a JPEG before anything is reduced; PNG and WebP, which
            have to be decoded whole, may have three fifths of it.
        patience: seconds to wait while others are decoded; None: as long as it takes.

    Returns:
        The photo (the first one, if there are several) in mode RGB, upright, on white where it was
        transparent, its longer side at most `WORKING_SIDE`, without any metadata.

    Raises:
        PhotoError: no such file, not a JPEG, PNG or WebP, damaged or incomplete, above a limit,
            a side below `MIN_SIDE`, or one side more than `MAX_ASPECT` times the other; or it
            waited too long.
    """
    data = _read(source, max_bytes)
    format = _format(data)
    if format != "JPEG":
        max_pixels = 3 * max_pixels // 5
    try:
        with ExitStack() as stack:
            if format == "WebP":  # its decoder takes its memory when it opens a file
                size = _webp_size(data)
            else:
                image = stack.enter_context(_DECODERS[format](_Metered(data)))
                size = image.size
            _check_size(size, max_pixels)
            stack.enter_context(_DECODING.room(size[0] * size[1], patience))
            if format == "WebP":
                image = stack.enter_context(_DECODERS[format](_Metered(data)))
            return _plain(_reduced(image))
    except PhotoError:
        raise
    except MemoryError:
        raise PhotoError(
            "This photo needs more memory than there is: save a smaller copy."
        ) from None
    except Exception:  # Pillow's parsers raise almost anything on damaged files
        raise PhotoError(
            "This photo is damaged or incomplete: choose the original again, or save it anew."
        ) from None


def crop(photo: Image.Image, box: Box) -> Image.Image:
    """Cut a part out of a photo.

    Args:
        photo: any photo.
        box: left, top, right, bottom as fractions of the photo's width and height, 0 to 1.

    Raises:
        PhotoError: the box is no part of the photo, or has less than `MIN_SIDE` pixels on a side.
    """
    left, top, right, bottom = box
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise PhotoError("This crop lies outside of the photo: choose a part of the photo.")
    x0, x1 = round(left * photo.width), round(right * photo.width)
    y0, y1 = round(top * photo.height), round(bottom * photo.height)
    if min(x1 - x0, y1 - y0) < MIN_SIDE:
        raise PhotoError(
            f"This crop has only {x1 - x0} x {y1 - y0} pixels: choose a part with at least "
            f"{MIN_SIDE} on each side."
        )
    return photo.crop((x0, y0, x1, y1))


class _Metered(BytesIO):
    """Bytes in memory that can be read a limited number of times.

    Parsers read every segment on its own, so this bounds their work, however a file is cut up.
    """

    _reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self._reads += 1
        if self._reads > _MAX_READS:
            raise _too_many_parts()
        return super().read(size)


class _Decoding:
    """The pixels that are being decoded in this process, bounded."""

    def __init__(self, pixels: int) -> None:
        self._free = self._all = pixels
        self._changed = threading.Condition()

    @contextmanager
    def room(self, pixels: int, patience: float | None) -> Iterator[None]:
        """Room for one photo; more than there is means: alone."""
        pixels = min(pixels, self._all)
        with self._changed:
            if not self._changed.wait_for(lambda: pixels <= self._free, patience):
                raise PhotoError(
                    "Too many large photos are being opened just now: try again in a minute, or "
                    "save a smaller copy."
                )
            self._free -= pixels
        try:
            yield
        finally:
            with self._changed:
                self._free += pixels
                self._changed.notify_all()


_DECODING = _Decoding(DECODING_PIXELS)


def _too_many_parts() -> PhotoError:
    return PhotoError("This file has far more parts than a photo: save the photo anew as JPEG.")


def _too_many_pixels(max_pixels: int) -> PhotoError:
    return PhotoError(
        f"This photo has more than {max_pixels / 1e6:g} million pixels: save a smaller copy."
    )


def _read(source: str | Path | bytes | BinaryIO, max_bytes: int) -> bytes:
    if isinstance(source, bytes):
        data = source
    elif isinstance(source, str | Path):
        data = _read_path(Path(source), max_bytes)
    else:
        if source.seekable():
            source.seek(0)
        data = source.read(max_bytes + 1)
    if not data:
        raise PhotoError("This file is empty: choose the photo again.")
    if len(data) > max_bytes:
        raise PhotoError(f"This file is larger than {max_bytes / 1e6:g} MB: save a smaller copy.")
    return data


def _read_path(path: Path, max_bytes: int) -> bytes:
    try:
        if path.is_dir():
            raise PhotoError(f"{path} is a folder: name one photo in it.")
        if not path.is_file():  # a pipe would block
            raise PhotoError(f"There is no photo {path}: check the path.")
        with path.open("rb") as file:
            return file.read(max_bytes + 1)
    except OSError as error:
        raise PhotoError(f"{path} cannot be read: {error.strerror}.") from None


def _format(data: bytes) -> str:
    if len(_COSTLY.findall(data)) > _MAX_COSTLY:
        raise _too_many_parts()
    if (name := format_of(data)) is not None:
        return name
    brands = _brands(data)
    if brands & {b"avif", b"avis"}:
        raise PhotoError(AVIF)
    if brands:
        raise PhotoError(HEIC)
    raise PhotoError("This is not a JPEG, PNG or WebP photo: save it as one of these.")


def format_of(head: bytes) -> str | None:
    """The format of a file that can be read here, told from its first `HEAD` bytes."""
    return next((name for name, signature in _SIGNATURES.items() if signature.match(head)), None)


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height that a WebP's first chunk says, which libwebp holds all frames to.

    https://developers.google.com/speed/webp/docs/riff_container, and RFC 6386, section 9.1.
    """

    def number(start: int, length: int) -> int:
        return int.from_bytes(data[start : start + length], "little")

    match data[12:16]:
        case b"VP8X":
            return 1 + number(24, 3), 1 + number(27, 3)
        case b"VP8L":
            bits = number(21, 4)
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 ":
            return number(26, 2) & 0x3FFF, number(28, 2) & 0x3FFF
    raise ValueError("no such chunk")


def _brands(data: bytes) -> set[bytes]:
    """The brands that a file in HEIF's container names; empty for any other file."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), HEAD)
    brands = {data[i : i + 4] for i in (8, *range(16, end, 4))}
    return brands & {b"avif", b"avis", *_HEIC_BRANDS}


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise _too_many_pixels(max_pixels)
    if min(size) < MIN_SIDE:
        raise PhotoError(
            f"This picture has only {width} x {height} pixels: choose one with at least "
            f"{MIN_SIDE} on each side."
        )
    if max(size) > MAX_ASPECT * min(size):
        raise PhotoError(
            f"This picture is a strip of {width} x {height} pixels: choose or cut one whose sides "
            f"differ by a factor of {MAX_ASPECT} at most."
        )


def _reduced(image: Image.Image) -> Image.Image:
    """Bring the longer side down to `WORKING_SIDE`; large JPEGs are decoded at 1/2 to 1/8 size."""
    if image.mode == "I;16":
        image = image.point(lambda value: value / 256).convert("L")  # as Pillow does to colour
    elif image.has_transparency_data and image.mode != "RGBA":
        image = image.convert("RGBA")
    elif image.mode in ("1", "P"):  # these cannot be averaged
        image = image.convert("RGB")
    image.thumbnail((WORKING_SIDE, WORKING_SIDE), reducing_gap=1.0)
    image.load()  # a small photo is not decoded until here
    return image


def _plain(image: Image.Image) -> Image.Image:
    """The photo upright, on white, RGB: a new image of the pixels alone, without metadata."""
    with suppress(Exception):  # unreadable EXIF does not spoil the pixels
        # In place, the pixels are turned first; then the tags are written anew, which can fail.
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return Image.fromarray(np.asarray(image.convert("RGB")))
