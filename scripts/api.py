"""Build the reference from the docstrings: python scripts/api.py [FOLDER], then open index.html."""

from __future__ import annotations

import pkgutil
import sys
from pathlib import Path

import pdoc

import lafe


def build(folder: Path) -> None:
    """Write a page for every module; the first one is of the names that promise to stay."""
    pdoc.render.configure(docformat="google", math=False)
    names = [info.name for info in pkgutil.walk_packages(lafe.__path__, "lafe.")]
    # Where a package has an __all__, which names no module, pdoc has to be told of them.
    more = [name for name in names if hasattr(sys.modules[name.rpartition(".")[0]], "__all__")]
    pdoc.pdoc("lafe", *more, output_directory=folder)


if __name__ == "__main__":
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "build/api")
    build(out)
    print(out / "index.html")
