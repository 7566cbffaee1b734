import pytest
import torch

from lafe.data import DecodedDataset, transforms

PLAIN = {"mean": [0.0] * 3, "std": [1.0] * 3}


@pytest.fixture
def photo():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, 20, 20), dtype=torch.uint8, generator=generator)


def windows(photo, size):
    """Every crop of the photo, as floats."""
    steps = range(photo.shape[1] - size + 1)
    crops = [photo[:, y : y + size, x : x + size] for y in steps for x in steps]
    return torch.stack(crops).float() / 255


def is_one_of(image, candidates):
    return (image - candidates).abs().amax(dim=(1, 2, 3)).min() < 1e-6


def test_the_test_transform_is_the_normalised_centre(photo):
    mean, std = [0.1, 0.2, 0.3], [0.5, 0.25, 2.0]
    expected = photo[:, 2:18, 2:18] / 255
    expected = (expected - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    torch.testing.assert_close(transforms.test_transform(20, 16, mean, std)(photo), expected)


def test_the_test_transform_resizes_what_has_another_size(photo):
    image = transforms.test_transform(10, 8, **PLAIN)(photo)
    expected = torch.nn.functional.interpolate(
        photo[None].float(), (10, 10), mode="bilinear", antialias=True
    )[0, :, 1:9, 1:9]
    assert (image * 255 - expected).abs().max() <= 1


def test_a_training_photo_is_a_crop_or_its_mirror_image(photo):
    transform = transforms.train_transform(16, rotation=0, **PLAIN)
    crops = windows(photo, 16)
    images = [transform(photo) for _ in range(40)]
    straight = [is_one_of(image, crops) for image in images]
    mirrored = [is_one_of(image.flip(2), crops) for image in images]
    assert any(straight)
    assert any(mirrored)
    assert all(s != m for s, m in zip(straight, mirrored, strict=True))


def test_without_a_flip_no_photo_is_mirrored(photo):
    transform = transforms.train_transform(16, rotation=0, flip=False, **PLAIN)
    assert all(is_one_of(transform(photo), windows(photo, 16)) for _ in range(20))


def test_rotation_leaves_black_corners_and_keeps_the_centre(photo):
    white = torch.full_like(photo, 255)
    transform = transforms.train_transform(20, rotation=15, flip=False, **PLAIN)
    images = torch.stack([transform(white) for _ in range(20)])
    assert (images[:, :, 8:12, 8:12] == 1).all()
    assert (images[:, 0, 0, 0] < 1).any()


def test_scale_crops_a_share_of_the_area():
    # A slope of one grey value a pixel: the range of a crop's values tells its width.
    slope = torch.arange(200, dtype=torch.uint8).expand(3, 200, 200)
    transform = transforms.train_transform(100, rotation=0, scale=(0.25, 0.25), **PLAIN)
    widths = [255 * (image.max() - image.min()) for image in (transform(slope) for _ in range(20))]
    # A quarter of the area, with sides from 3:4 to 4:3, is 87 to 115 pixels wide.
    assert all(84 < width < 117 for width in widths)
    assert transform(slope).shape == (3, 100, 100)


def test_jitter_and_erase_are_off_unless_asked_for(photo):
    plain = {"rotation": 0, "flip": False, **PLAIN}
    assert is_one_of(transforms.train_transform(20, **plain)(photo), windows(photo, 20))
    jittered = transforms.train_transform(20, jitter=0.4, **plain)(photo)
    assert not is_one_of(jittered, windows(photo, 20))
    white = torch.full_like(photo, 255)
    assert (transforms.train_transform(20, erase=1, **plain)(white) == 0).any()
    assert not (transforms.train_transform(20, **plain)(white) == 0).any()


def test_one_cell_of_sixteen_is_deleted_in_a_share_of_the_photos(photo):
    white = torch.full_like(photo, 255)
    plain = {"rotation": 0, "flip": False, **PLAIN}
    transform = transforms.train_transform(20, delete_cell=0.5, **plain)
    found = [(transform(white)[0] == 0).nonzero().tolist() for _ in range(200)]
    cells = {
        tuple(map(tuple, deleted)) for deleted in found if deleted
    }  # each a square of 5 x 5 that begins where a cell does
    for cell in cells:
        (top, left), (bottom, right) = min(cell), max(cell)
        assert len(cell) == 25
        assert (top % 5, left % 5, bottom - top, right - left) == (0, 0, 4, 4)
    assert len(cells) == 16
    assert 60 < sum(map(bool, found)) < 140


def test_a_decoded_data_set_transforms_when_it_is_read(photo):
    photos = torch.stack([photo, 255 - photo])
    dataset = DecodedDataset(photos, [3, 5], transforms.test_transform(20, 20, **PLAIN))
    assert len(dataset) == 2
    image, label = dataset[1]
    assert label == 5
    torch.testing.assert_close(image, (255 - photo) / 255)


def test_jitter_leaves_the_hue(photo):
    """Hue tells species apart.  It is where the middle channel lies between the other two."""
    low, high = 90, 150
    colours = torch.stack([torch.full((20, 20), v) for v in (high, 105, low)]).to(torch.uint8)
    transform = transforms.train_transform(16, rotation=0, jitter=0.3, **PLAIN)
    images = torch.stack([transform(colours) for _ in range(40)])
    red, green, blue = images.unbind(1)
    assert (red > green).all()
    assert (green > blue).all()
    place = (green - blue) / (red - blue)
    assert torch.allclose(place, torch.full_like(place, 15 / 60), atol=0.05)
    # All three of brightness, contrast and saturation do change.
    assert red.amax() - red.amin() > 0.1
    assert (red - blue).amax() > 1.3 * (red - blue).amin()
