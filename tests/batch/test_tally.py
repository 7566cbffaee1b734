"""Who is right, counted."""

from lafe.batch.tally import Tally


def test_a_tally_by_hand() -> None:
    """Classes a to c; the true one, A and B as predicted."""
    tally = Tally()
    for true, a, b in [*("aaa", "aab", "bab", "caa"), (None, "a", "a")]:
        tally.add(true, a, b)
    assert tally.lines(versus=True) == [
        "The folders of 1 photos name no class of this model.",
        "A is right on 2 of 4 photos (50.0 %) with a label.",
        "A and B agree on 3 of 5 photos (60.0 %).",
        "B is right on 2 of 4 photos (50.0 %) with a label.",
        "Only A is right on 1, only B on 1.",
    ]
