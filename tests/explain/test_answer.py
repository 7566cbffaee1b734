"""An answer and what flips it, against the model itself."""

from __future__ import annotations

import pytest
import torch
from tiny import photos, tiny_model

from lafe.branches import PRESETS, Switches
from lafe.explain.answer import answer, difference
from lafe.explain.prepare import Prepared, prepare
from lafe.render.sentences import why


@pytest.fixture(scope="module", params=range(6))
def photo(request: pytest.FixtureRequest) -> Prepared:
    model = tiny_model(request.param)
    with torch.no_grad():
        model.classifier.weight.mul_(3)
    return prepare(model, photos(1, seed=request.param))


@pytest.mark.parametrize("switches", [Switches.all(), Switches.parse("r_dis345.c_con5")])
def test_the_first_preset_that_says_another_class(photo: Prepared, switches: Switches) -> None:
    def says(on: Switches) -> torch.Tensor:
        with torch.no_grad():
            return photo.model(photo.x, on)[0].softmax(0)

    found = answer(photo, switches, familiar=True)
    order = says(switches).argsort(descending=True).tolist()
    assert (found.label, found.next_label) == (order[0], order[1])
    assert found.probability == pytest.approx(float(says(switches).max()), abs=1e-5)
    flips = {
        name: int(says(preset & switches).argmax())
        for name, preset in PRESETS.items()
        if int(says(preset & switches).argmax()) != order[0]
        and (len(preset & switches) or name == "plain backbone")
    }
    if not flips:
        assert found.turn is None
    else:
        assert found.turn is not None
        assert (found.turn.preset, found.turn.label) == next(iter(flips.items()))


def test_what_a_setting_adds_more_than_another_sums_to_the_difference(photo: Prepared) -> None:
    a, b = Switches.all(), Switches.parse("r_dis3.c_con45")
    la, lb = (photo.logits(on).double() for on in (a, b))
    one = difference((photo, a), (photo, b), 1, versus=2)
    assert float(one.sum()) == pytest.approx(float((la[1] - la[2]) - (lb[1] - lb[2])), abs=1e-3)
    centred = difference((photo, a), (photo, b), 1)
    expected = float((la[1] - la.mean()) - (lb[1] - lb.mean()))
    assert float(centred.sum()) == pytest.approx(expected, abs=1e-3)
    assert float(difference((photo, a), (photo, a), 1).abs().max()) == 0


def test_the_sentence_by_hand() -> None:
    from lafe.explain.answer import Answer, Turn

    names = ["Pelagic Cormorant", "Brandt Cormorant", "Crow"]
    found = Answer(0, 0.623, 2, 0.2, Turn("no confusable", 1, 0.55), True)
    assert why(found, names) == (
        "Pelagic Cormorant with 62.3%, before Crow with 20.0%; without the confusable branches it "
        "becomes Brandt\N{RIGHT SINGLE QUOTATION MARK}s Cormorant (55.0%)."
    )
    steady = Answer(0, 0.623, 2, 0.2, None, True)
    assert why(steady, names).endswith("no preset that takes branches away changes that.")


def test_a_click_on_one_side_computes_nothing_of_the_other() -> None:
    """Nor anything twice: a photo keeps as many maps as an answer asks for."""
    for seed in range(20):  # whose answer no preset changes, so that all presets are asked for
        photo = prepare(tiny_model(seed), photos(1, seed=seed))
        if answer(photo, Switches.all(), familiar=True).turn is None:
            break
    else:
        raise AssertionError("Every photo has a preset that changes its answer.")
    computed: list[str] = []
    for name, side in photo.model.sides.items():
        side.register_forward_hook(lambda *_, name=name: computed.append(name))
    shown = Switches.all(), Switches.parse("r_dis3.c_con34")
    for on in shown:
        answer(photo, on, familiar=True)
    computed.clear()
    clicked = Switches.all().without("r_con", stages=(4,))
    for on in (clicked, shown[1]):
        photo.fused(on)
    answer(photo, clicked, familiar=True)
    for on in (clicked, shown[1]):
        photo.fused(on)
    # The setting itself, and without the channel branches; without the region branches, or those
    # of stages 3 and 4, it is what it was.
    assert computed == ["con", "con"]
