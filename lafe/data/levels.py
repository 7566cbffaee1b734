"""Coarser groups of classes: the family of a bird, the make of a car, the family of an aircraft,
the genus of a drawn bird.

Birds by the families of the IOC World Bird List, for the 200 names of CUB-200-2011.  Cars and
aircraft by their names, as Stanford Cars has them and as aircraft are usually called; the numbers
that FGVC-Aircraft gives ("737-300") name no manufacturer, so that its files are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lafe.data.aircraft import LEVELS, read_aircraft
from lafe.data.names import key

Levels = Mapping[str, tuple[str, ...]]
"""The group that each class belongs to, by level, the finest first."""

_FAMILIES = {
    "Albatrosses": "Albatross",
    "Alcids": "Auklet Guillemot Puffin",
    "Bowerbirds": "Spotted_Catbird",
    "Cardinals": "Cardinal Indigo_Bunting Lazuli_Bunting Painted_Bunting Blue_Grosbeak "
    "Rose_breasted_Grosbeak Tanager",
    "Chats": "Chat",
    "Cormorants": "Cormorant",
    "Creepers": "Creeper",
    "Crows and jays": "Crow Jay Nutcracker Raven",
    "Cuckoos": "Ani Cuckoo Geococcyx",
    "Ducks": "Gadwall Mallard Merganser",
    "Finches": "Finch Goldfinch Evening_Grosbeak Pine_Grosbeak",
    "Frigatebirds": "Frigatebird",
    "Grebes": "Grebe",
    "Gulls and terns": "Gull Kittiwake Tern",
    "Hummingbirds": "Hummingbird Violetear",
    "Icterids": "Blackbird Bobolink Cowbird Grackle Meadowlark Oriole",
    "Kingfishers": "Kingfisher",
    "Larks": "Lark",
    "Loons": "Loon",
    "Mockingbirds": "Gray_Catbird Mockingbird Thrasher",
    "New World sparrows": "Junco Sparrow Towhee",
    "New World warblers": "Ovenbird Redstart Warbler Waterthrush Yellowthroat",
    "Nightjars": "Nighthawk Chuck_will_Widow Whip_poor_Will",
    "Nuthatches": "Nuthatch",
    "Old World sparrows": "House_Sparrow",
    "Pelicans": "Pelican",
    "Petrels": "Fulmar",
    "Pipits": "Pipit",
    "Shrikes": "Shrike",
    "Skuas": "Jaeger",
    "Starlings": "Starling",
    "Swallows": "Swallow",
    "Tyrant flycatchers": "Flycatcher Kingbird Pewee Sayornis",
    "Vireos": "Vireo",
    "Waxwings": "Waxwing",
    "Woodpeckers": "Flicker Woodpecker",
    "Wrens": "Wren",
}
_FAMILY_OF = {key(name): family for family, names in _FAMILIES.items() for name in names.split()}

_TWO_WORDS = ("AM General", "Aston Martin", "Land Rover", "North American", "de Havilland")
_AIRCRAFT_FAMILIES = {
    "A320": ("Airbus A318", "Airbus A319", "Airbus A320", "Airbus A321"),
    "Boeing 737": ("Boeing 737 MAX", "Boeing 737 NG"),
    "Boeing 777": ("Boeing 777", "Boeing 777X"),
}
_AIRCRAFT_FAMILY_OF = {name: f for f, names in _AIRCRAFT_FAMILIES.items() for name in names}


def levels_of(kind: str, classes: Sequence[str], root: str | Path | None = None) -> Levels:
    """The coarser levels of a data set's classes; none where neither names nor data give them.

    Args:
        kind: of the data set, such as ``"cub"``.
        classes: the names, in label order.
        root: folder of FGVC-Aircraft, whose files say more than names do.

    Raises:
        lafe.data.DataError: files that cannot be read.
    """
    if kind == "cub":
        families = [bird_family(name) for name in classes]
        return {} if None in families else {"family": tuple(map(str, families))}
    if kind == "partbirds" and all(" " in name for name in classes):
        return {"genus": tuple(name.split()[-1] for name in classes)}
    if kind == "cars":
        return {"make": tuple(make(name) for name in classes)}
    if kind == "aircraft" and root is not None:
        return _of_files(classes, root)
    if kind == "aircraft" and all(" " in name for name in classes):
        return {
            "family": tuple(_AIRCRAFT_FAMILY_OF.get(name, name) for name in classes),
            "manufacturer": tuple(make(name) for name in classes),
        }
    return {}


def bird_family(name: str) -> str | None:
    """The family of one of CUB's birds, by the last word of its name, or by all of it."""
    last = name.replace("_", " ").split()[-1]
    return _FAMILY_OF.get(key(name)) or _FAMILY_OF.get(key(last))


def make(name: str) -> str:
    """The make of a car, or the manufacturer of an aircraft: the name's first word, or two."""
    two = next((each for each in _TWO_WORDS if name.startswith(f"{each} ")), None)
    return two or name.split()[0]


def _of_files(classes: Sequence[str], root: str | Path) -> Levels:
    by_level = {level: read_aircraft(root, "trainval", level) for level in LEVELS}
    variants = by_level.pop("variant")
    group: dict[str, dict[str, str]] = {}
    for level, photos in by_level.items():
        names = zip(variants.labels, photos.labels, strict=True)
        group[level] = {key(variants.classes[v]): photos.classes[g] for v, g in names}
    if any(key(name) not in known for known in group.values() for name in classes):
        return {}
    return {level: tuple(known[key(name)] for name in classes) for level, known in group.items()}
