"""Every photo below some folders: told by its first bytes, each real file once.

Endings decide nothing: cameras write `.JPG`, browsers `.jfif`, some programs no ending at all.
Links are followed, to files and to folders, but what was met once is not met again; so loops end.
Hidden files (`._x.jpg`, which a Mac leaves on other disks) and folders do not exist for it.
"""

from __future__ import annotations

import os
import stat
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lafe.data.photo import AVIF, HEAD, HEIC, format_of

ENDINGS = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp"})
"""Endings of photos: a file with other bytes is a broken photo, which somebody should hear of."""

_JUNK = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"})
_LONGEST = 12  # characters of an ending; what is longer is a part of the name
_Identity = tuple[int, int]


@dataclass(frozen=True)
class Found:
    """The result of a walk.

    Attributes:
        photos: in the order of the roots, below each by path.
        passed: how many files were no photos, by their ending or what else they are.
        again: what had been met already, with the path under which it had: a second name of a
            file, or a link to a folder.
    """

    photos: tuple[Path, ...]
    passed: Mapping[str, int]
    again: tuple[tuple[Path, Path], ...]

    @property
    def said(self) -> str:
        """The files that were passed over, in a sentence; empty if there are none."""
        if not self.passed:
            return ""
        count = sum(self.passed.values())
        counts = sorted(self.passed.items(), key=lambda item: (-item[1], item[0]))
        said = f"{count} file{'s' * (count > 1)} passed over: " + ", ".join(
            f"{number} {kind}" for kind, number in counts
        )
        ways = ((HEIC, {".heic", ".heif"}), (AVIF, {".avif", ".avifs"}))
        return "  ".join([f"{said}.", *(way for way, kinds in ways if kinds & self.passed.keys())])


def is_hidden(name: str) -> bool:
    """True if a file or folder of this name is none of the user's."""
    return name.startswith(".") or name in _JUNK


def walk(roots: Iterable[str | Path]) -> Found:
    """Find the photos that are, or are below, the roots.

    A root is taken as it is: a file though it may be no photo, a folder though it may be hidden.
    What is there itself comes before what is reached by a link, so that a photo keeps its name.
    """
    walker = _Walker()
    for root in roots:
        walker.go(Path(root))
    return Found(tuple(walker.photos), dict(walker.passed), tuple(walker.again))


class _Walker:
    def __init__(self) -> None:
        self.photos: list[Path] = []
        self.passed: Counter[str] = Counter()
        self.again: list[tuple[Path, Path]] = []
        self.met: dict[_Identity, Path] = {}

    def go(self, root: Path) -> None:
        here: list[Path] = []
        links: deque[Path] = deque()
        todo = [root]
        while todo or links:
            path = todo.pop() if todo else links.popleft()
            try:
                status = path.stat()
            except OSError:
                self.passed["broken link" if path.is_symlink() else "unreadable"] += 1
                continue
            if not self._is_new(path, (status.st_dev, status.st_ino)):
                continue
            if not stat.S_ISDIR(status.st_mode):
                if path == root or _is_photo(path, status):
                    here.append(path)
                else:
                    self.passed[_ending(path)] += 1
                continue
            try:
                with os.scandir(path) as entries:
                    inside = [(e.is_symlink(), path / e.name) for e in entries]
            except OSError:
                self.passed["folder that cannot be opened"] += 1
                continue
            inside = sorted(entry for entry in inside if not is_hidden(entry[1].name))
            todo += [inner for linked, inner in reversed(inside) if not linked]
            links += [inner for linked, inner in inside if linked]
        self.photos += sorted(here)

    def _is_new(self, path: Path, identity: _Identity) -> bool:
        first = self.met.setdefault(identity, path)
        if first is not path:
            self.again.append((path, first))
        return first is path


def _is_photo(path: Path, status: os.stat_result) -> bool:
    if not stat.S_ISREG(status.st_mode):  # a pipe would block
        return False
    try:
        with path.open("rb") as file:
            known = format_of(file.read(HEAD)) is not None
    except OSError:
        known = False
    return known or path.suffix.lower() in ENDINGS


def _ending(path: Path) -> str:
    ending = path.suffix.lower()
    return ending if 1 < len(ending) <= _LONGEST and ending[1:].isalnum() else "without an ending"
