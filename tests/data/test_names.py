"""When two names are one class, and which class a folder means."""

import unicodedata

import pytest
from hypothesis import given, strategies as st

from lafe.data.names import key, label_of, labels_of, same, shown

SEPARATORS = " _-."
WORDS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0/"), min_size=1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gold_finch", "gold finch"),
        ("Gold-Finch", "goldfinch"),
        ("St. John's", "St John's"),
        ("Müller", "Mu\N{COMBINING DIAERESIS}ller"),
        ("STRASSE", "straße"),
        ("翠鳥", "翠_鳥"),
        ("1.5 TSI", "15 TSI"),
        ("a b", "a\N{NO-BREAK SPACE}b"),
    ],
)
def test_case_and_separators_make_no_other_class(one: str, other: str) -> None:
    assert key(one) == key(other)
    assert same(["robin", one, other]) == (one, other)


@pytest.mark.parametrize(
    "names",
    [
        ("C", "C++", "C#"),
        ("1.5 TSI", "2.5 TSI"),
        ("DC-3", "DC-10", "DC-3s"),
        ("F-16A/B", "F-16AB"),
        ("Müller", "Muller"),
        ("ß", "s"),
        ("鳥", "鸟"),
        ("rose (red)", "rose"),
        ("H+", "H"),
    ],
)
def test_whatever_else_differs_makes_another_class(names: tuple[str, ...]) -> None:
    assert len({key(name) for name in names}) == len(names)
    assert same(names) is None


@given(WORDS, st.data())
def test_a_name_written_otherwise_is_the_same(name: str, data: st.DataObject) -> None:
    """Separators anywhere, another case, composed or not."""
    form = data.draw(st.sampled_from(["NFC", "NFD"]))
    places = data.draw(st.lists(st.integers(0, len(name)), max_size=4))
    other = name
    for place in sorted(places, reverse=True):
        # Not between a letter and its accent: that parts the two.
        if place == len(name) or not unicodedata.combining(name[place]):
            other = other[:place] + data.draw(st.sampled_from(SEPARATORS)) + other[place:]
    assert key(unicodedata.normalize(form, other.upper())) == key(name.upper())


@given(WORDS)
def test_a_key_is_its_own_key(name: str) -> None:
    assert key(key(name)) == key(name)
    assert not set(key(name)) & set(SEPARATORS)


@given(WORDS)
def test_a_class_is_found_by_its_own_folder(name: str) -> None:
    labels = labels_of(["zebra finch", shown(name)])
    if key(name) != "zebrafinch":
        assert label_of(name, labels) == 1


@pytest.mark.parametrize(
    ("folder", "label"),
    [
        ("Blue_Jay", 0),
        ("blue jay", 0),
        ("007.Blue_Jay", 0),  # CUB's number, whatever number it is
        ("7.Blue_Jay", None),
        ("0007.Blue_Jay", None),
        ("007Blue_Jay", None),
        ("1.5 TSI", None),
        ("2.5 TSI", 1),
        ("002.5 TSI", None),
        ("003.2.5 TSI", None),
        ("Cafe\N{COMBINING ACUTE ACCENT}", 2),
        ("007.Café", 2),
        ("Cafe", None),
        ("C++", 3),
        ("C", None),
        ("photos", None),
    ],
)
def test_what_a_folder_means(folder: str, label: int | None) -> None:
    labels = labels_of(["Blue Jay", "2.5 TSI", "Café", "C++"])
    assert label_of(folder, labels) == label


def test_a_name_that_two_classes_have_means_neither() -> None:
    """Checkpoints of others may have such classes; training refuses them."""
    assert labels_of(["gold finch", "gold_finch", "robin"]) == {"robin": 2}
