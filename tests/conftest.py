from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is slow: no deadline for an example.  Nothing is left in the working folder.
settings.register_profile("lafe", deadline=None, max_examples=50, database=None)
settings.load_profile("lafe")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The photos beside the checkout; they are never part of it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("This test needs the photos in ../shared/data.")
    return folder
