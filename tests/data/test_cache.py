import numpy as np
import pytest
import torch
from PIL import Image

import lafe
from lafe.data import DataError, PhotoDataset, decode


@pytest.fixture
def photos(tmp_path):
    """A colour photo, a greyscale one, one with transparency and one that lies on its side."""
    rng = np.random.default_rng(0)
    colour = Image.fromarray(rng.integers(0, 256, (30, 50, 3), dtype=np.uint8))
    sideways = Image.Exif()
    sideways[0x0112] = 6
    colour.save(tmp_path / "0.png")
    colour.convert("L").save(tmp_path / "1.png")
    colour.convert("RGBA").save(tmp_path / "2.png")
    colour.save(tmp_path / "3.png", exif=sideways)
    paths = [tmp_path / f"{i}.png" for i in range(4)]
    return PhotoDataset("four", paths, [0, 1, 0, 1], ["a", "b"])


def test_photos_are_squashed_in_their_order(photos):
    pixels = decode(photos, 16)
    assert pixels.shape == (4, 3, 16, 16)
    assert pixels.dtype == torch.uint8
    colour = torch.tensor(np.array(Image.open(photos.paths[0]))).permute(2, 0, 1)
    expected = torch.nn.functional.interpolate(
        colour[None].float(), (16, 16), mode="bilinear", antialias=True
    )[0]
    assert (pixels[0].float() - expected).abs().max() <= 1
    assert pixels[1][0].equal(pixels[1][2])
    assert pixels[2].equal(pixels[0])


def test_a_photo_is_turned_upright(photos):
    assert photos.photo(3).size == (30, 50)
    turned = Image.open(photos.paths[0]).transpose(Image.Transpose.ROTATE_270)
    assert np.array_equal(np.array(photos.photo(3)), np.array(turned))


@pytest.mark.parametrize("content", [b"", b"no photo", None])
def test_a_corrupt_file_is_named(photos, content):
    whole = photos.paths[2].read_bytes()
    photos.paths[2].write_bytes(whole[: len(whole) // 2] if content is None else content)
    said = r"^1 photo cannot be read: mend .*\n.*2\.png cannot be used"
    with pytest.raises(DataError, match=said):
        decode(photos, 16)


def test_an_empty_split():
    with pytest.raises(DataError, match="no photo"):
        PhotoDataset("none", [], [], [])


def test_training_reads_a_cut_out_as_prediction_does(photos):
    """On one background: black for the one and white for the other would be two worlds."""
    bird = np.zeros((40, 40, 4), np.uint8)
    bird[10:30, 10:30] = (200, 30, 30, 255)
    for mode in ("RGBA", "LA", "P"):
        Image.fromarray(bird).convert(mode).save(photos.paths[0])
        pixels = decode(photos, 40)[0]
        predicted = torch.tensor(np.array(lafe.open_photo(photos.paths[0]))).permute(2, 0, 1)
        assert pixels.equal(predicted)
    Image.fromarray(bird).save(photos.paths[0])
    assert decode(photos, 40)[0, :, 0, 0].tolist() == [255, 255, 255]


def test_what_one_refuses_the_other_refuses_for_the_same_reason(photos):
    Image.new("RGB", (400, 20)).save(photos.paths[0])
    with pytest.raises(lafe.PhotoError, match="strip") as alone:
        lafe.open_photo(photos.paths[0])
    with pytest.raises(DataError, match=r"0\.png cannot be used") as within:
        decode(photos, 16)
    assert str(within.value).endswith(str(alone.value))
