from lafe.data.partbirds import PARTS, examples


def test_examples_are_always_the_same_pictures_and_no_two_are_alike():
    first, again = ([e.draw(64) for e in examples()] for _ in range(2))
    assert all((a.image == b.image).all() for a, b in zip(first, again, strict=True))
    assert len({picture.image.tobytes() for picture in first}) == len({e.title for e in examples()})
    assert 4 <= len(first) <= 8


def test_an_example_shows_every_part_but_those_that_are_missing():
    for example in examples():
        seen = {part for part in PARTS if example.draw(448).mask(part).sum() > 20}
        assert seen == set(PARTS) - set(example.without), example.title
