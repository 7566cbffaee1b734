"""Folders that come with the package and lie beside it: the app and the checkpoints."""

from pathlib import Path

_PARENT = Path(__file__).resolve().parents[1]


def beside(name: str) -> Path:
    """The folder ``name`` of a checkout, which is called ``lafe_name`` where it is installed."""
    installed = _PARENT / f"lafe_{name}"
    return installed if installed.is_dir() else _PARENT / name
