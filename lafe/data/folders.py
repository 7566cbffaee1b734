"""Any folder of class-named folders of photos.

    flowers/                     flowers/
      oxeye_daisy/*.jpg            train/oxeye_daisy/*.jpg
      corn_chamomile/*.jpg         test/oxeye_daisy/*.jpg
                                   val/oxeye_daisy/*.jpg        (if there is one)

On the left, and where `val/` is missing on the right, photos are held out by a hash of class and
file name.  So which split a photo is in depends on nothing but its own name: one that comes or
goes moves no other.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from unicodedata import normalize

from lafe.data.dataset import DataError, PhotoDataset
from lafe.data.layout import subfolders
from lafe.data.names import key, labels_of, same, shown
from lafe.data.walk import Found, walk

TEST_FRACTION = 0.2

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}

Row = tuple[Path, int]  # a photo and its label

_LAYOUT = "it should hold CLASS/*.jpg, or train/CLASS/*.jpg and test/CLASS/*.jpg"


def share(purpose: str, class_name: str, file_name: str) -> float:
    """A photo's place in [0, 1), by its name alone; other purposes give other places.

    SHA-256 of purpose, class and file name, parted by NUL: the first 8 bytes over 2^64.
    """
    # A file's name may be no Unicode, and a Mac writes the same é otherwise than the rest.
    text = "\0".join((purpose, key(class_name), normalize("NFC", file_name)))
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def read_folder(root: str | Path, split: str, val_fraction: float, seed: int) -> PhotoDataset:
    """One split of a folder.

    Args:
        root: the folder, or the one that it lies in alone.
        split: "train", "val", "trainval" or "test".
        val_fraction: chance of a training photo to be held out as `val`.
        seed: which ones are; never which are `test`.

    Raises:
        DataError: no such folder, no split of this name, fewer than two classes, two classes of one
            name, a class without photos, a photo in two places; with what to do.
    """
    given = Path(os.path.abspath(root))
    if not given.is_dir():
        raise DataError(f"There is no folder {given}: {_LAYOUT}.")
    tree = _Tree(given, walk([given]))
    home = given if _splits(given, tree) else tree.inner(given)
    parts = _parts(home, tree)
    _require_separate(home, parts, tree.found)
    train = parts.get("train", home)
    folders = _classes(train, tree)
    labels = labels_of(folders)
    rows: dict[str, list[Row]] = defaultdict(list)
    for part, folder in (parts or {"": home}).items():
        for name in tree.names(folder):
            if (label := labels.get(key(name))) is None:
                raise DataError(f"{folder / name} is a class that {train} does not have.")
            for photo in tree.photos(folder / name):
                own = drawn(part, "val" in parts, folders[label], photo, val_fraction, seed)
                rows[own].append((photo, label))
    if split == "test" and parts and "test" not in parts:
        raise DataError(
            f"{home / 'test'} is missing, or holds no class folders: make test/CLASS/*.jpg, or "
            "take the class folders out of train/; then a fifth of each is held out."
        )
    rows["trainval"] = rows["train"] + rows["val"]
    chosen = sorted(rows[split], key=lambda row: (row[1], row[0]))
    require_some(split, [label for _, label in chosen], home, folders)
    tested = (
        [*untested((label for _, label in rows["test"]), folders)]
        if "test" in parts or not parts
        else []
    )
    return PhotoDataset(
        name=home.name,
        paths=[photo for photo, _ in chosen],
        labels=[label for _, label in chosen],
        classes=[shown(name) for name in folders],
        home=home,
        notes=(*_left_out(home, parts, tree), *tested),
    )


def drawn(
    part: str, has_val: bool, folder: str, photo: Path, val_fraction: float, seed: int
) -> str:
    """The split of a photo in a class's folder: that of its part, if a folder says it."""
    if not part and share("test", folder, photo.name) < TEST_FRACTION:
        return "test"
    if part in ("", "train") and not has_val:
        return "val" if share(f"val {seed}", folder, photo.name) < val_fraction else "train"
    return part


def require_some(split: str, labels: Sequence[int], home: Path, folders: Sequence[str]) -> None:
    """Refuse a split without photos, and a class that none are left of to train on."""
    without = _without(labels, folders) if split in ("train", "trainval") else []
    if without:
        raise DataError(
            f"All photos of {_some(without)} are held out: add photos, or make train/ and test/ "
            "folders of your own."
        )
    if not labels:
        way = "raise val_fraction, add photos, or make a val/ folder"
        raise DataError(
            f"No photo of {home} is in the split {split}: "
            + (way if split == "val" else "add photos, or make train/ and test/ folders")
            + "."
        )


def _left_out(home: Path, parts: Mapping[str, Path], tree: _Tree) -> Iterator[str]:
    """Notes on what lies in the folder but in no split, a sentence each."""
    if tree.found.said:
        yield f"{home}: {tree.found.said}"
    loose = [p for folder in {home, *parts.values()} for p in tree.own.get(folder, ())]
    if loose:
        yield f"{len(loose)} photos in no class folder are left out; the first is {min(loose)}."
    used = {folder.relative_to(home).parts[0] for folder in parts.values()}
    if parts and (others := set(tree.names(home)) - used):
        yield f"Folders beside the splits are left out: {', '.join(sorted(others))}."


def untested(labels: Iterable[int], folders: Sequence[str]) -> Iterator[str]:
    """A note on classes that no test photo is of."""
    if without := _without(labels, folders):
        yield (
            f"Without a test photo, so that nothing will be known of them: {_some(without)}.  Add "
            "photos, or make train/ and test/ folders of your own."
        )


def _without(labels: Iterable[int], folders: Sequence[str]) -> list[str]:
    """The classes that no photo is of."""
    have = set(labels)
    return [name for label, name in enumerate(folders) if label not in have]


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


class _Tree:
    """The folders that photos lie in."""

    def __init__(self, root: Path, found: Found) -> None:
        self.found = found
        self.own: dict[Path, list[Path]] = defaultdict(list)
        self.below: dict[Path, set[str]] = defaultdict(set)
        for photo in found.photos:
            self.own[photo.parent].append(photo)
        for folder in list(self.own):
            while folder != root and folder.name not in self.below[folder.parent]:
                self.below[folder.parent].add(folder.name)
                folder = folder.parent

    def names(self, folder: Path) -> list[str]:
        """The folders in a folder that photos lie below."""
        return sorted(self.below.get(folder, ()))

    def photos(self, folder: Path) -> Iterator[Path]:
        """All photos below a folder."""
        yield from self.own.get(folder, ())
        for name in self.names(folder):
            yield from self.photos(folder / name)

    def inner(self, folder: Path) -> Path:
        """A folder, or the only one in it, if that holds folders of photos and no photo of its own.

        This is what an archive gives that unpacks into a folder of its own.
        """
        names = self.names(folder)
        if len(names) != 1 or folder in self.own or folder / names[0] in self.own:
            return folder
        return folder / names[0]


def _splits(home: Path, tree: _Tree) -> dict[str, list[Path]]:
    """The folders that are named like a split and hold folders of photos, by split."""
    named = [
        (SPLIT_NAMES[name.casefold()], home / name)
        for name in tree.names(home)
        if name.casefold() in SPLIT_NAMES and tree.names(home / name)
    ]
    if all(folder in tree.own for _, folder in named):  # classes may be trains, beside cars
        return {}
    splits: dict[str, list[Path]] = defaultdict(list)
    for split, folder in named:
        splits[split].append(folder)
    return splits


def _parts(home: Path, tree: _Tree) -> dict[str, Path]:
    """The folder of each split; empty if the classes lie in `home`."""
    splits = _splits(home, tree)
    for split, folders in splits.items():
        if len(folders) > 1:
            names = " and ".join(folder.name for folder in folders)
            raise DataError(f"{home} holds {names}: which one is the {split} split?")
    if splits and "train" not in splits:
        names = ", ".join(folder.name for (folder,) in splits.values())
        raise DataError(f"{home} holds {names}, but no train: {_LAYOUT}.")
    return {split: tree.inner(folder) for split, (folder,) in splits.items()}


def _classes(folder: Path, tree: _Tree) -> list[str]:
    """The names of the class folders in a folder, in order."""
    names = [path.name for path in subfolders(folder)]
    if not names:
        raise DataError(f"{folder} should hold one folder of photos for each class.")
    if pair := same(names):
        raise DataError(
            f"{folder}: the classes {pair[0]!r} and {pair[1]!r} differ in case or separators only: "
            "rename one, or put their photos together."
        )
    for name in names:
        if any("\ud800" <= character <= "\udfff" for character in name):
            raise DataError(f"The name of {folder / name} is no Unicode: rename the folder.")
        _require_photos(folder / name, tree)
    if len(names) == 1:
        raise DataError(
            f"{folder} holds one class only, {names[0]!r}: a model tells two or more apart."
        )
    return names


def _require_photos(folder: Path, tree: _Tree) -> None:
    """Refuse a class without photos, or one whose photos lie in several folders.

    Those are a level too many, or splits of another name.
    """
    names = tree.names(folder)
    if folder in tree.own or (len(names) == 1 and folder / names[0] in tree.own):
        return
    if names:
        raise DataError(
            f"{folder} holds folders of photos ({', '.join(names[:3])}) but no photo of its own, "
            "so it is no class: give the folder that the class folders lie in, and name splits "
            "train, val and test."
        )
    others = walk([folder]).said
    raise DataError(
        f"{folder} holds no photo: add some, or remove the folder." + (f"  {others}" * bool(others))
    )


def _require_separate(home: Path, parts: Mapping[str, Path], found: Found) -> None:
    """Refuse a photo that lies, by links, in two splits or two classes."""
    folders = list(parts.values()) or [home]

    def place(path: Path) -> Path | None:
        """The class folder that a path is or lies in."""
        for folder in folders:
            if path != folder and path.is_relative_to(folder):
                return folder / path.parts[len(folder.parts)]
        return None

    for path, first in found.again:
        one, other = place(path), place(first)
        is_split = path.parent == home and path.name.casefold() in SPLIT_NAMES
        if is_split or (one and other and one != other):
            raise DataError(
                f"{path} and {first} are the same on the disk: a photo has one class and is in one "
                "split, so remove one of them."
            )
