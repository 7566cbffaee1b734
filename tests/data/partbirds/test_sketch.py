from lafe.data.partbirds import (
    CLASSES,
    GENERA,
    PARTS,
    Sketch,
    differing,
    draw,
    looks_of,
    species_of,
    varied,
)  # fmt: skip


def test_a_sketch_of_a_species_is_that_species_in_that_scene():
    for bird in CLASSES[::5]:
        sketch = Sketch.of(bird.parts, 9)
        assert sketch.species == bird
        assert (sketch.draw(64).image == draw(bird, 9, size=64).image).all()
        less = sketch.less("beak", "tail")
        expected = draw(bird, 9, size=64, without=["tail", "beak"])
        assert (less.draw(64).image == expected.image).all()
        assert less.species == bird


def test_a_bird_of_mixed_looks_is_no_species():
    mixed = dict(CLASSES[0].parts) | {"eye": CLASSES[4].parts["eye"]}
    assert Sketch.of(mixed, 0).species is None


def test_genera_are_of_four_and_vary_in_what_sets_them_apart():
    assert [bird for genus in GENERA for bird in species_of(genus)] == list(CLASSES)
    for genus in GENERA:
        four = species_of(genus)
        assert len(four) == 4
        assert set(varied(genus)) == {p for a in four for b in four for p in differing(a, b)}


def test_looks_are_those_of_all_species_and_the_genus_comes_first():
    for part in PARTS:
        looks = looks_of(part, GENERA[2])
        assert set(looks) == {bird.parts[part] for bird in CLASSES}
        assert len(looks) == len(set(looks))
        assert looks[0] == species_of(GENERA[2])[0].parts[part]
