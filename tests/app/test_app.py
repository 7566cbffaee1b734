"""The app, driven by Streamlit's AppTest on tiny random checkpoints."""

from __future__ import annotations

import io
import logging
import re
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest
from tiny import CLASSES, tiny_model
from visiting import (
    BIRDS,
    alts,
    app,
    bars,
    goes_to,
    panels,
    picture,
    ranges,
    said,
    truth,
    unfold,
    upload,
    visit,
)

from app.state import models
from app.state.session import Panel, Photo, Visit
from app.widgets.parts import plain
from lafe import PRESETS, Branch, Switches, evidence, load, open_photo, prepare
from lafe.checkpoints import store
from lafe.data.photo import MIN_SIDE, WHOLE
from lafe.explain.controls import Controls
from lafe.explain.crop import Proposal
from lafe.render.text import number, percent

pytestmark = pytest.mark.usefixtures("only_these")


def test_first_screen_asks_for_a_photo_and_for_no_model() -> None:
    at = app()
    assert not at.exception
    assert "Give it a bird" in said(at)
    assert len(at.file_uploader) == 1
    assert not panels(at)
    assert not at.sidebar.children
    assert not at.pills
    assert "meant to" not in said(at)  # nothing was measured of these models


def test_first_screen_says_what_is_intended_then_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "folders", lambda: [tmp_path])
    verdict = "These gates are *constants*: read the maps as the backbone's."
    store.save(tiny_model(), tmp_path / "birds", BIRDS, title="Birds", verdict=verdict)
    words = said(app())
    intended, measured = words.index("meant to add"), words.index("Measured on test photos")
    assert intended < measured < words.index(f"- **Birds**: {plain(verdict)}")


def test_the_answer_comes_first_in_real_spelling() -> None:
    data = picture()
    at = upload(app(), ("owl.png", data))
    p = truth("birds", data, Switches.all())
    first, second = p.argsort(descending=True)[:2].tolist()
    (card,) = (h.value for h in at.html if "<h1" in h.value)
    name = escape(BIRDS[first])
    assert card.index(name) < card.index(percent(float(p[first]))) < card.index("Runner-up")
    assert escape(BIRDS[second]) in card[card.index("Runner-up") :]
    assert len([h for h in at.html if "<h1" in h.value]) + len(at.title) == 1


def test_upload_compares_full_with_plain_backbone() -> None:
    data = picture()
    at = upload(app(), ("owl.png", data))
    assert not at.exception
    assert [p.switches for p in visit(at).panels] == [Switches.all(), Switches.none()]
    for place, switches in enumerate((Switches.all(), Switches.none())):
        expected = truth("birds", data, switches).sort(descending=True).values[:5]
        np.testing.assert_allclose(bars(at, place), expected.numpy(), atol=1e-5)


def test_several_photos_and_the_strip() -> None:
    at = upload(app(), ("a.png", picture(0)), ("b.png", picture(1)))
    assert len(visit(at).photos) == 2
    assert visit(at).photo.name == "b.png"
    first = visit(at).photos[0]
    at.button(key=f"thumb-{first.digest[:16]}").click().run()
    assert visit(at).photo.name == "a.png"
    expected = truth("birds", picture(0), Switches.all()).max()
    assert bars(at, 0)[0] == pytest.approx(float(expected), abs=1e-5)
    at = upload(at, ("again.png", picture(1)), at_first=False)
    assert len(visit(at).photos) == 2  # the same bytes are the same photo
    assert visit(at).photo.name == "b.png"
    next(b for b in at.button if b.label == "Remove").click().run()
    assert [p.name for p in visit(at).photos] == ["a.png"]


def test_a_switch_changes_only_its_panel() -> None:
    data = picture()
    at = upload(app(), ("owl.png", data))
    before = bars(at, 1)
    unfold(at, "switches-0").segmented_control(key="switch-0-r_con").unselect(5).run()
    setting = Switches.all().without("r_con", stages=(5,))
    assert visit(at).panels[0].switches == setting
    assert bars(at, 1) == before
    expected = truth("birds", data, setting).sort(descending=True).values[:5]
    np.testing.assert_allclose(bars(at, 0), expected.numpy(), atol=1e-5)
    assert at.selectbox(key="preset-0").value == setting


@pytest.mark.parametrize("name", PRESETS)
def test_presets_set_all_switches(name: str) -> None:
    at = upload(app(), ("owl.png", picture()))
    unfold(at, "switches-1").selectbox(key="preset-1").set_value(PRESETS[name]).run()
    for branch in ("r_dis", "r_con", "c_dis", "c_con"):
        on = [stage for stage in (3, 4, 5) if PRESETS[name][stage, branch]]
        assert at.segmented_control(key=f"switch-1-{branch}").value == on


def test_all_on_and_all_off() -> None:
    at = unfold(upload(app(), ("owl.png", picture())), "switches-1")
    at.button(key="All on-1").click().run()
    assert visit(at).panels[1].switches == Switches.all()
    at.button(key="All off-1").click().run()
    assert visit(at).panels[1].switches == Switches.none()


def test_equal_switches_are_identical_to_the_bit() -> None:
    at = unfold(upload(app(), ("owl.png", picture())), "switches-1")
    assert "Identical to A" not in said(at)
    at.button(key="All on-1").click().run()
    assert "Identical to A, to the bit" in said(at)
    assert bars(at, 0) == bars(at, 1)


def test_switches_never_pass_through_the_backbone_again() -> None:
    at = upload(app(), ("owl.png", picture(99)))  # a photo that no other test has prepared
    passes: list[int] = []
    hook = models.model("birds").backbone.register_forward_hook(lambda *_: passes.append(1))
    unfold(at, "switches-0", "more-maps").segmented_control(key="switch-0-c_dis").unselect(3).run()
    at.selectbox(key="preset-1").set_value(PRESETS["no region"]).run()
    at.segmented_control(key="layer").set_value("difference").run()
    at.segmented_control(key="map").set_value("con").run()
    at.segmented_control(key="evidence").set_value("evidence-dis").run()
    at.selectbox(key="versus").set_value(BIRDS[1]).run()
    unfold(at, "controls-0").segmented_control(key="control-0").set_value("shuffled").run()
    at.button(key="shuffle-0").click().run()
    goes_to(at, "stages")
    assert passes == []
    goes_to(at, "compare")
    at.slider(key="crop-0").set_value((20, 80)).run()
    hook.remove()
    assert passes == [1]


def test_crop_goes_to_the_model() -> None:
    data = picture(2, (200, 160))
    at = upload(app(), ("owl.png", data))
    at.slider(key="crop-0").set_value((10, 60)).run()
    at.slider(key="crop-1").set_value((25, 100)).run()
    assert visit(at).photo.crop == (0.1, 0.25, 0.6, 1.0)
    out = io.BytesIO()
    Image.open(io.BytesIO(data)).crop((20, 40, 120, 160)).save(out, "PNG")
    expected = truth("birds", out.getvalue(), Switches.all()).sort(descending=True).values[:5]
    np.testing.assert_allclose(bars(at, 0), expected.numpy(), atol=1e-5)


def test_a_crop_that_leaves_nothing_is_refused() -> None:
    at = upload(app(), ("owl.png", picture()))
    at.slider(key="crop-0").set_value((50, 51)).run()
    assert visit(at).photo.crop == (0.0, 0.0, 1.0, 1.0)
    assert f"at least {MIN_SIDE}" in at.warning[0].value


def test_panels_on_demand_up_to_four_and_down_to_one() -> None:
    at = upload(app(), ("owl.png", picture()))
    for count in (3, 4):
        next(b for b in at.button if b.label == "Add a panel").click().run()
        assert len(panels(at)) == count
    assert not [b for b in at.button if b.label == "Add a panel"]
    for place in (2, 2, 1):
        at.button(key=f"remove-{place}").click().run()
    assert len(visit(at).panels) == len(panels(at)) == len(alts(at)) == 1
    assert "remove-0" not in [b.key for b in at.button]
    again = upload(app(**dict(at.query_params)), ("owl.png", picture()))
    assert visit(again).panels == visit(at).panels


def test_panels_may_use_different_models() -> None:
    data = picture()
    at = upload(app(), ("owl.png", data))
    at.selectbox(key="model-1").set_value("cars").run()
    expected = truth("cars", data, Switches.none()).sort(descending=True).values[:5]
    np.testing.assert_allclose(bars(at, 1), expected.numpy(), atol=1e-5)
    at.pills(key="checkpoint").set_value("cars").run()
    assert visit(at).model == "cars"
    assert at.selectbox(key="model-0").value == "cars"


def test_true_class_shows_its_rank() -> None:
    data = picture()
    at = upload(app(), ("owl.png", data))
    order = truth("birds", data, Switches.all()).argsort(descending=True).tolist()
    third = BIRDS[order[2]]
    at.selectbox(key="truth").set_value(third).run()
    assert f"rank 3 of {CLASSES}" in said(at)
    at.selectbox(key="truth").set_value(BIRDS[order[0]]).run()
    assert "This is the true class" in said(at)
    at.pills(key="checkpoint").set_value("cars").run()
    assert at.selectbox(key="truth").value is None


def test_overlays_on_one_scale_or_each_its_own() -> None:
    at = unfold(upload(app(map="final"), ("owl.png", picture())), "more-maps")
    at.selectbox(key="preset-1").set_value(PRESETS["no confusable"]).run()
    assert len(set(ranges(at))) == 1
    at.segmented_control(key="scale").set_value(False).run()
    assert len(set(ranges(at))) == 2
    at.segmented_control(key="map").set_value("con").run()
    assert len(ranges(at)) == 1  # B has it off
    assert "is off in this setting" in said(at)
    at.selectbox(key="branch-map").set_value("r_dis5").run()
    assert visit(at).display.layer == "r_dis5"
    assert at.segmented_control(key="map").value is None


def notes(at: AppTest) -> list[str]:
    """What stands below the colour bar of every panel that has a map."""
    return [h.value.split('class="note">')[1].split("</div>")[0] for h in at.html
            if 'class="legend"' in h.value]  # fmt: skip


def numbers(text: str) -> list[float]:
    """The numbers with a sign in a text."""
    plain_minus = text.replace("\N{MINUS SIGN}", "-")
    return [float(n) for n in re.findall(r"[+-]\d+\.\d+", plain_minus)]


def test_evidence_is_that_of_the_library() -> None:
    data = picture()
    at = unfold(upload(app(), ("owl.png", data)), "more-maps")
    at.selectbox(key="preset-1").set_value(PRESETS["no region"]).run()
    model = load(models._source("birds").path)
    photo = prepare(model, model.preprocess(open_photo(data)))
    order = photo.logits(Switches.all()).argsort(descending=True).tolist()

    def expect(layer: str, target: int, versus: int | str) -> None:
        key = "layer" if layer in ("evidence", "why") else "evidence"
        at.segmented_control(key=key).set_value(layer).run()
        assert not at.exception
        for place, note in enumerate(notes(at)):
            switches = visit(at).panels[place].switches
            e = evidence(photo, target=target, switches=switches, versus=versus)
            parts = {"evidence": e.total, "why": e.total, "evidence-con": e.con}
            expected = [float(parts[layer].sum()), e.logit, *e.steps.values()]
            assert numbers(note) == pytest.approx(expected, abs=0.0051)
            assert ("lead" in note) == (versus != "mean")
        assert len(notes(at)) == 2

    expect("evidence", order[0], "mean")  # the predicted class of panel A
    assert f"speak for **{plain(BIRDS[order[0]])}**" in said(at)
    colours = {
        h.value.split('alt="')[1].split('"')[0] for h in at.html if 'class="legend"' in h.value
    }
    assert len(colours) == 1  # one scale
    at.selectbox(key="versus").set_value("*").run()
    expect("evidence-con", order[0], order[1])  # rather than the runner-up
    at.selectbox(key="target").set_value(BIRDS[order[3]]).run()
    expect("evidence-con", order[3], order[0])
    at.selectbox(key="versus").set_value(BIRDS[order[2]]).run()
    expect("evidence", order[3], order[2])
    params = dict(at.query_params)
    assert visit(upload(app(**params), ("owl.png", data))).display == visit(at).display
    assert params["class"] == BIRDS[order[3]]
    at.selectbox(key="versus").set_value("~").run()
    expect("why", order[3], order[0])  # the likeliest other
    assert f"for {escape(BIRDS[order[0]])} " in said(at)  # the other end of the colours


def test_evidence_where_there_is_none() -> None:
    at = unfold(upload(app(b="none@cars", c="none"), ("owl.png", picture())), "more-maps")
    at.segmented_control(key="evidence").set_value("evidence-dis").run()
    at.selectbox(key="target").set_value("Crow").run()
    assert "This model does not know Crow" in said(at)
    assert "+D is off in this setting" in said(at).replace("\\", "")
    assert len(notes(at)) == 1
    at.selectbox(key="target").set_value("Tern").run()  # both know it
    assert "does not know Tern" not in said(at)


def test_controls_stand_in_for_gates_in_their_panel_only() -> None:
    data = picture()
    at = unfold(upload(app(b="all"), ("owl.png", data)), "controls-1")
    assert "Identical to A" in said(at)
    at.segmented_control(key="control-1").set_value("uniform").run()
    at.selectbox(key="control-1-c_con4").set_value("shuffled").run()
    at.selectbox(key="control-1-r_dis3").set_value("learned").run()
    some = Switches.all().without("c_con", stages=(4,)).without("r_dis", stages=(3,))
    controls = Controls(some, Switches.only("c_con", stages=(4,)))
    assert visit(at).panels[1].controls == controls
    assert "Identical to A" not in said(at)
    model = load(models._source("birds").path)
    photo = prepare(model, model.preprocess(open_photo(data)))
    for place, ready in enumerate((photo, photo.under(controls))):
        expected = ready.probabilities(Switches.all()).sort(descending=True).values[:5]
        np.testing.assert_allclose(bars(at, place), expected.numpy(), atol=1e-5)
    assert said(at).count("Not as learned: uniform") == 1
    at.segmented_control(key="layer").set_value("evidence").run()
    top = int(photo.logits(Switches.all()).argmax())
    found = evidence(photo.under(controls), target=top, versus="mean")
    assert numbers(notes(at)[1])[1] == pytest.approx(found.logit, abs=0.0051)
    at.button(key="shuffle-1").click().run()
    assert visit(at).panels[1].controls.seed == 1
    assert visit(upload(app(**dict(at.query_params)), ("owl.png", data))).panels == visit(at).panels
    unfold(at, "more-maps").selectbox(key="branch-map").set_value("r_con5").run()
    assert "r_con5" in notes(at)[1]
    gate = photo.under(controls).branch_map(5, "r_con").mean(1)
    low = float(photo.branch_map(5, "r_con").mean(1).min())
    expected = min(low, float(gate.min()))
    assert f"Colours from {number(expected)} to" in ranges(at)[0]


def test_state_survives_changing_the_page() -> None:
    at = upload(app(), ("owl.png", picture(0)), ("hawk.png", picture(1)))
    unfold(at, "switches-0", "more-maps").segmented_control(key="switch-0-r_con").unselect(4).run()
    at.segmented_control(key="map").set_value("dis").run()
    at.slider(key="crop-0").set_value((20, 90)).run()
    before = visit(at), bars(at, 0)
    goes_to(at, "stages")
    assert not at.exception
    assert "Stage 3" in said(at)
    goes_to(at, "about")
    assert not at.exception
    goes_to(at, "compare")
    assert (visit(at), bars(at, 0)) == before
    unfold(at, "switches-0", "more-maps")
    assert at.segmented_control(key="switch-0-r_con").value == [3, 5]
    assert at.segmented_control(key="map").value == "dis"
    assert at.slider(key="crop-0").value == (20, 90)


def test_stages_shows_twelve_branches_and_what_they_add_up_to() -> None:
    at = upload(app(a="r_dis345.c_con5"), ("owl.png", picture()))
    goes_to(at, "stages")
    grid, fused = (h.value for h in at.html if "<figure" in h.value)
    assert grid.count("<figure") == 18 + 12  # 3 stages: 4 branches, dis, con; 4 gates
    assert grid.count('class="off"') == 2 * (12 - 4) + 2  # con of stages 3 and 4 is off, too
    assert grid.count('class="gate"') == 1  # the channel gate that is on, as sorted bars
    assert "Correlation of the maps: Region r_con" not in grid  # it is off
    assert fused.count("<figure") == 4


def test_ablation_opens_a_setting_as_panel_b() -> None:
    b = "none~uniform:r_dis3@cars"
    at = upload(app(b=b), ("owl.png", picture()))
    goes_to(at, "ablation")
    assert not at.exception
    assert "What was each branch worth" in at.title[0].value
    at.pills(key="ablation-dis").set_value([Branch(3, "r", "dis"), Branch(5, "c", "dis")]).run()
    at.pills(key="ablation-con").set_value([Branch(4, "r", "con")]).run()
    expected = truth("birds", picture(), Switches.parse("r_dis3.c_dis5.r_con4"))
    assert f"predicted with {percent(float(expected.max()))}" in said(at)
    next(b for b in at.button if b.label == "Open as panel B").click().run()
    # The setting that was looked at: of the page's model, without panel B's controls.
    assert visit(at).panels[1] == Panel(Switches.parse("r_dis3.c_dis5.r_con4"))
    assert len(panels(at)) == 2


def test_stages_without_a_photo_says_what_to_do() -> None:
    at = app()
    goes_to(at, "stages")
    assert not at.exception
    assert not at.html or "<figure" not in said(at)


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"not a photo at all", "not a JPEG, PNG or WebP"),
        (b"", "empty"),
        (picture()[:200], "damaged or incomplete"),
        (b"\x89PNG\r\n\x1a\n" + bytes(30_000_001), "larger than 30 MB"),
        (picture(size=(MIN_SIDE - 1, 20)), f"at least {MIN_SIDE}"),
    ],
    ids=["text", "empty", "cut", "huge", "tiny"],
)
def test_a_file_that_is_no_photo(data: bytes, part: str) -> None:
    at = upload(app(), ("*bold*_[x](y).png", data), ("good.png", picture()))
    assert not at.exception
    (warning,) = at.warning
    assert part in warning.value.replace("\\", "")
    assert r"\*bold\*" in warning.value  # shown as it is
    assert [p.name for p in visit(at).photos] == ["good.png"]  # the others are kept
    assert not at.run().warning


def test_names_of_classes_are_no_markup() -> None:
    at = upload(app(), ("owl.png", picture()))
    at.selectbox(key="truth").set_value("Red_Kite *x*").run()
    at.text_input(key="class-search").set_value("red").run()
    assert any("Red\\_Kite \\*x\\*" in m.value for m in at.markdown)


def test_address_round_trip() -> None:
    at = unfold(upload(app(), ("owl.png", picture())), "switches-0", "more-maps")
    at.segmented_control(key="switch-0-r_con").unselect(4).run()
    at.selectbox(key="model-1").set_value("cars").run()
    at.segmented_control(key="map").set_value("con").run()
    at.slider(key="crop-0").set_value((20, 90)).run()
    params = dict(at.query_params)
    assert params["a"] == "r_dis345.r_con35.c_dis345.c_con345"
    again = upload(app(**params), ("owl.png", picture()))
    assert not again.warning
    assert visit(again) == visit(at)
    assert dict(again.query_params) == params


def test_an_unreadable_address_falls_back_with_a_notice() -> None:
    at = app(checkpoint="../../etc", a="<script>", b="r_dis3", map="9", crop="1,2", opacity="x")
    assert not at.exception
    (warning,) = at.warning
    assert "script" not in warning.value
    assert "checkpoint" in warning.value
    assert visit(at).checkpoint == "birds"
    assert visit(at).panels[1].switches == Switches.only("r_dis", stages=(3,))


def test_a_photo_like_nothing_known_is_said_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, threshold in (("birds", 1.1), ("cars", 0.0)):
        model = load(folder / name)
        unknown = {"score": "max_probability", "threshold": threshold}
        store.save(model, tmp_path / name, model.card.classes, unknown=unknown)
    monkeypatch.setattr(store, "folders", lambda: [tmp_path])
    at = upload(app(), ("owl.png", picture()))
    assert "No match; nearest: " in said(at)
    assert "does not look like any of the" in said(at)
    assert "or crop closer" in said(at)
    at.button(key="use-cars").click().run()
    assert "No match" not in said(at)
    assert visit(at).model == at.pills(key="checkpoint").value == "cars"


def test_no_model_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "folders", lambda: [tmp_path])
    at = app()
    assert not at.exception
    assert "No model" in at.info[0].value
    at = upload(at, ("owl.png", picture()))
    assert not at.exception


def test_a_broken_model_is_one_sentence(
    folder: Path, tmp_path: Path, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "birds").mkdir()
    weights = bytearray((folder / "birds" / "model.safetensors").read_bytes())
    weights[-3] ^= 1
    (tmp_path / "birds" / "model.safetensors").write_bytes(weights)
    monkeypatch.setattr(store, "folders", lambda: [tmp_path])
    with caplog.at_level(logging.ERROR):
        at = upload(app(), ("owl.png", picture()))
    assert not at.exception
    assert "refused" in at.warning[0].value
    assert str(tmp_path) not in said(at)
    assert "sha256" in caplog.text


def test_an_error_is_one_sentence_and_the_traceback_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    at = app()
    monkeypatch.setattr(models, "prepared", broken)
    with caplog.at_level(logging.ERROR):
        upload(at, ("private-name.png", picture(98)))
    assert not at.exception
    assert "Something went wrong" in at.error[0].value
    assert "secret detail" not in said(at)
    assert "secret detail" in caplog.text
    assert "private-name" not in caplog.text


def test_photos_are_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    upload(app(), ("owl.png", picture()))
    assert list(tmp_path.iterdir()) == []


def test_a_photo_says_nothing_of_itself_in_a_log() -> None:
    photo = Photo("0" * 64, Image.new("RGB", (40, 40)), "holiday.jpg")
    assert "holiday" not in repr(photo)
    assert "holiday" not in repr(Visit().with_photo(photo))


def test_a_minus_b_is_the_difference_of_two_calibrated_maps() -> None:
    data = picture()
    at = upload(app(map="difference"), ("owl.png", data))
    assert alts(at) == ["The photo under the map A \N{MINUS SIGN} B"]
    model = load(models._source("birds").path)
    photo = prepare(model, model.preprocess(open_photo(data)))
    top = int(photo.logits(Switches.all()).argmax())
    a, b = (
        evidence(photo, target=top, switches=s, versus="mean")
        for s in (Switches.all(), Switches.none())
    )
    assert numbers(notes(at)[0])[0] == pytest.approx(a.logit - b.logit, abs=0.0051)
    at.selectbox(key="model-1").set_value("cars").run()
    assert "A and B are of two models" in said(at)
    at.button(key="remove-1").click().run()
    assert "There is no B" in said(at)


def test_a_switch_that_differs_from_a_is_outlined() -> None:
    at = upload(app(b="all"), ("owl.png", picture()))

    def outlined() -> list[str]:
        (style,) = (h.value for h in at.html if "2px dashed" in h.value)
        return re.findall(r"st-key-(switch-\d-\w+) button:nth-of-type\((\d)\)", style)

    assert not any("2px dashed" in h.value for h in at.html)
    unfold(at, "switches-1").segmented_control(key="switch-1-r_con").unselect(4).run()
    assert outlined() == [("switch-1-r_con", "2")]


def test_the_table_of_photos() -> None:
    first, second = picture(0), picture(1)
    at = upload(app(), ("a.png", first), ("b.png", second))
    (table,) = (d.value for d in at.dataframe)
    assert list(table["Name"]) == ["a.png", "b.png"]
    for place, data in enumerate((first, second)):
        a, b = (truth("birds", data, s) for s in (Switches.all(), Switches.none()))
        k = int(a.argmax())
        assert table["A"][place] == BIRDS[k]
        assert table["B"][place] == BIRDS[int(b.argmax())]
        assert table["Points moved"][place] == pytest.approx(100 * float(b[k] - a[k]), abs=1e-3)
        assert table["Flipped"][place] == (k != int(b.argmax()))


def test_each_photo_keeps_its_own_model() -> None:
    first, second = picture(0), picture(1)
    at = upload(app(), ("a.png", first), ("b.png", second))
    at.pills(key="checkpoint").set_value("cars").run()
    assert bars(at, 0)[0] == pytest.approx(float(truth("cars", second, Switches.all()).max()), 1e-4)
    at.button(key=f"thumb-{visit(at).photos[0].digest[:16]}").click().run()
    assert visit(at).model == "birds"
    assert bars(at, 0)[0] == pytest.approx(float(truth("birds", first, Switches.all()).max()), 1e-4)


def test_another_photo_s_gates_are_those_of_the_visitor_s_next() -> None:
    first, second = picture(0), picture(1)
    at = upload(app(b="all"), ("a.png", first), ("b.png", second))
    at.segmented_control(key="control-1").set_value("other photo").run()
    assert not at.exception
    model = load(models._source("birds").path)
    mine, other = (prepare(model, open_photo(data)) for data in (second, first))
    swapped = mine.under(Controls(other_photo=Switches.all()), other)
    expected = swapped.probabilities(Switches.all()).sort(descending=True).values[:5]
    np.testing.assert_allclose(bars(at, 1), expected.numpy(), atol=1e-5)
    assert "Not as learned: other photo all" in said(at)
    assert "mean" not in at.segmented_control(key="control-1").options  # this model has none


def test_a_crop_is_offered_where_nothing_matches_taken_and_undone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    box = (0.1, 0.2, 0.6, 0.7)
    proposed = Proposal(box, closer=True)
    monkeypatch.setattr(models, "proposal", lambda *_: proposed)
    monkeypatch.setattr(models, "is_unknown", lambda photo, _: photo.crop == WHOLE)
    at = upload(app(), ("owl.png", picture()))
    assert "No match" in said(at)
    at.button(key="propose-crop").click().run()
    assert visit(at).photo.crop == box
    assert "No match" not in said(at)
    assert at.slider(key="crop-0").value == (10, 60)
    assert at.button(key="propose-crop").label == "Whole photo"
    at.button(key="propose-crop").click().run()
    assert visit(at).photo.crop == WHOLE
    for other in (None, Proposal(box, closer=False)):
        proposed = other
        assert "propose-crop" not in [b.key for b in at.run().button]


def test_a_crop_that_is_not_offered_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    proposed: Proposal | None = Proposal((0.1, 0.2, 0.6, 0.7), closer=False)
    monkeypatch.setattr(models, "proposal", lambda *_: proposed)
    at = upload(app(), ("owl.png", picture()))
    assert "propose-crop" not in [b.key for b in at.button]
    at.button(key="to-object").click().run()
    assert visit(at).photo.crop == (0.1, 0.2, 0.6, 0.7)
    assert "to-object" not in [b.key for b in at.button]
    at.button(key="propose-crop").click().run()
    assert visit(at).photo.crop == WHOLE
    proposed = None
    at.button(key="to-object").click().run()
    assert visit(at).photo.crop == WHOLE
    assert "there is nothing to crop" in said(at)


def test_models_of_one_title_are_told_apart_and_broken_ones_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(folder / "birds")
    for name in ("birds", "mine"):
        store.save(model, tmp_path / name, model.card.classes, title="Birds")
    (tmp_path / "spoilt").mkdir()
    (tmp_path / "spoilt" / "model.safetensors").write_bytes(b"nothing")
    monkeypatch.setattr(store, "folders", lambda: [tmp_path])
    at = upload(app(), ("owl.png", picture()))
    assert list(at.pills(key="checkpoint").options) == [r"Birds \(birds\)", r"Birds \(mine\)"]
    goes_to(at, "about")
    assert not at.exception
    assert "the log says why: spoilt" in said(at)


def test_the_words_in_the_app_are_those_in_the_docs() -> None:
    root = Path(__file__).parents[2]
    docs = (root / "docs" / "glossary.md").read_text(encoding="utf-8")
    assert docs.endswith((root / "app" / "assets" / "words.md").read_text(encoding="utf-8"))
