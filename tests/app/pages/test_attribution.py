"""The page "Attribution": it shows what lafe computes, and slow things when they are asked for."""

from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest
from visiting import app, goes_to, picture, upload

from app.figures.curves import SHARE
from app.state import explanations, leaving, models, session
from app.state.explanations import RANDOMS, Asked
from app.state.session import Panel, Photo
from lafe import Switches, open_photo, prepare
from lafe.explain.attribution.methods import METHODS, attribute
from lafe.measure.faithfulness.curves import beside_chance, curves, probability, random_map

pytestmark = pytest.mark.usefixtures("only_these")

DATA = picture(3)


def html(at: AppTest) -> str:
    return "".join(element.proto.body for element in at.get("html"))


def test_without_a_photo_it_says_what_to_do() -> None:
    at = goes_to(app(), "attribution")
    assert not at.exception
    assert "side by side" in at.markdown[0].value


def test_maps_of_both_panels_and_what_is_missing_is_computed_when_asked() -> None:
    at = upload(app(), ("owl.png", DATA))  # B is the plain backbone
    goes_to(at, "attribution")
    assert not at.exception
    page = html(at)
    assert page.count("The photo under Grad-CAM at stage 5") == 2
    assert page.count("The photo under Evidence, discriminative") == 1
    assert "Left out: every discriminative branch is switched off." in page
    assert not at.button or "missing" not in " ".join(b.label for b in at.button)

    at.multiselect(key="attribution-methods").set_value(["evidence", "superpixels"])
    at.segmented_control(key="attribution-against").set_value("mean").run()
    assert "Not computed yet." in html(at)
    assert not at.get("plotly_chart")
    start = next(b for b in at.button if b.label.startswith("Compute what is missing (4; about "))
    start.click().run()
    assert not at.exception
    assert "Not computed yet." not in html(at)
    assert len(at.get("plotly_chart")) == 4
    assert "missing" not in " ".join(b.label for b in at.button)

    model = models.model("birds")
    photo = prepare(model, open_photo(DATA))
    x = photo.x
    for table, on in zip(at.table, (Switches.all(), Switches.none()), strict=True):
        target = int(model(x, Switches.all()).argmax())
        heats = {
            name: attribute(photo, method=name, target=target, switches=on).map
            for name in ("evidence", "superpixels")
        }
        draws = {name: random_map(x.shape[-1] // 32, i) for i, name in enumerate(RANDOMS)}
        truth = curves(probability(model, target, on), x, heats | draws, against="mean")
        chance = [truth.pop(name) for name in draws]
        shown = table.value.set_index("Map")
        for name, curve in truth.items():
            row = shown.loc[METHODS[name].title]
            assert float(row["Area, deletion"]) == pytest.approx(curve.deletion_area, abs=1e-3)
            assert float(row["Area, insertion"]) == pytest.approx(curve.insertion_area, abs=1e-3)
            words = beside_chance(curve, chance)
            assert [row["beside random orders"], row["beside them"]] == list(words.values())
    for place, chart in enumerate(at.get("plotly_chart")):
        layout = json.loads(chart.proto.spec)["layout"]
        kind = ("deletion", "insertion")[place % 2]
        assert layout["xaxis"]["title"]["text"] == SHARE[kind]


def test_what_was_stopped_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlit.session_state", {})
    monkeypatch.setattr(leaving, "_guest", leaving.Guest)  # a session, where Streamlit has none
    session.add_photo(DATA, "owl.png")
    photo = session.visit().photo
    assert isinstance(photo, Photo)
    every = [Asked("birds", Panel(), 1, 2)]
    jobs = explanations.jobs(photo, every, ["occlusion"], None)
    assert [job.title for job in jobs] == ["Occlusion"]

    def stop(done: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jobs[0].run(stop)
    assert explanations.explanation(photo, every[0], "occlusion") is None
    jobs[0].run(lambda done: None)
    assert explanations.jobs(photo, every, ["occlusion"], None) == []
    assert explanations.layer(photo, every[0], "occlusion").signed


def test_choices_survive_another_page() -> None:
    at = goes_to(upload(app(), ("owl.png", DATA)), "attribution")
    at.multiselect(key="attribution-methods").set_value(["evidence"]).run()
    versus = next(box for box in at.selectbox if box.label == "and not")
    versus.set_value(versus.options[0]).run()
    goes_to(at, "stages")
    goes_to(at, "attribution")
    assert not at.exception
    assert at.multiselect(key="attribution-methods").value == ["evidence"]
    assert next(box for box in at.selectbox if box.label == "and not").value == versus.options[0]
