"""The one base of every error that a user can mend."""

from collections.abc import Iterator
from contextlib import contextmanager


class LafeError(ValueError):
    """What a user gave cannot be used; the message is one sentence and says what to do."""


class MissingPackageError(LafeError):
    """A package of an extra is not installed."""


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Say which extra brings the packages that are imported inside."""
    try:
        yield
    except ImportError as error:
        raise MissingPackageError(
            f"This needs more packages: pip install 'lafe[{extra}]' ({error})."
        ) from error
