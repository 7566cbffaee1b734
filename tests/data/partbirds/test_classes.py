from collections import defaultdict
from itertools import combinations

import pytest

from lafe.data import DataError
from lafe.data.partbirds import CLASSES, PARTS, BirdClass, Look, differing, shared

DIFFER = {
    "Reedling": {"crown", "tail"},
    "Emberchat": {"beak", "throat"},
    "Tidewren": {"legs", "wing"},
    "Lanternbill": {"eye", "breast"},
    "Mossfinch": {"crown", "wing"},
    "Cloudlark": {"beak", "throat"},
}


def by_genus():
    genera = defaultdict(list)
    for bird in CLASSES:
        genera[bird.genus].append(bird)
    return genera


def test_genera_have_four_species_of_different_names():
    assert {genus: len(birds) for genus, birds in by_genus().items()} == dict.fromkeys(DIFFER, 4)
    assert len({bird.name for bird in CLASSES}) == 24
    assert all(bird.name.endswith(f" {bird.genus}") for bird in CLASSES)


@pytest.mark.parametrize("genus", DIFFER)
def test_species_of_a_genus_differ_in_one_part_or_both_of_two_and_share_all_others(genus):
    found = [set(differing(a, b)) for a, b in combinations(by_genus()[genus], 2)]
    first, second = ({part} for part in DIFFER[genus])
    # Of four species, two pairs differ in one part only, two in the other, two in both.
    for expected in (first, second, first | second):
        assert found.count(expected) == 2


def test_differing_and_shared_parts_are_those_of_the_table():
    for a, b in combinations(CLASSES, 2):
        texts = [{part: str(look) for part, look in bird.parts.items()} for bird in (a, b)]
        assert list(differing(a, b)) == [p for p in PARTS if texts[0][p] != texts[1][p]]
        assert sorted(differing(a, b) + shared(a, b)) == sorted(PARTS)


def test_species_of_two_genera_differ_in_most_parts():
    pairs = [(a, b) for a, b in combinations(CLASSES, 2) if a.genus != b.genus]
    assert min(len(differing(a, b)) for a, b in pairs) >= 5


def test_every_part_tells_species_apart_in_some_genus():
    assert set().union(*DIFFER.values()) == set(PARTS)


def test_a_bird_has_every_part_and_parts_of_known_looks():
    parts = dict(CLASSES[0].parts)
    with pytest.raises(DataError, match="each with a look"):
        BirdClass("a", "b", {p: look for p, look in parts.items() if p != "eye"})
    with pytest.raises(DataError, match="No beak has the shape 'fan'"):
        BirdClass("a", "b", parts | {"beak": Look("fan", "gold")})
    with pytest.raises(DataError, match="No eye has the pattern 'barred'"):
        BirdClass("a", "b", parts | {"eye": Look("bead", "gold", "barred", "black")})


def test_classes_cannot_be_changed_and_can_be_keys():
    with pytest.raises(TypeError):
        CLASSES[0].parts["eye"] = Look("bead", "blue")
    assert len(set(CLASSES)) == 24


@pytest.mark.parametrize(
    ("look", "message"),
    [
        (("bead", "mauve"), "no colour 'mauve'"),
        (("fan", "gold", "barred", "mauve"), "no colour 'mauve'"),
        (("fan", "gold", "barred"), "needs an ink"),
        (("fan", "gold", "plain", "black"), "needs no ink"),
    ],
)
def test_looks_of_unknown_colours_or_without_the_ink_of_their_pattern_are_refused(look, message):
    with pytest.raises(DataError, match=message):
        Look(*look)


def test_a_look_reads_as_words():
    assert str(Look("fan", "orange", "tipped", "black")) == "fan, orange, tipped with black"
    assert str(Look("bead", "gold")) == "bead, gold"
