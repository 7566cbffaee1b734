"""The generated tables hold the reports' figures, and the committed ones are up to date."""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lafe import LAFE
from lafe.checkpoints.store import load_card, save
from lafe.measure import bench, crops, records, report as reports, sweep, tables
from lafe.measure.evaluation import evaluate
from lafe.measure.markdown import markers
from lafe.measure.provenance import Provenance
from lafe.measure.report import Accuracy, Report, Training
from lafe.measure.visits import Spread, Visits
from lafe.measure.words import SCORES
from lafe.train.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]
MEASURED = markers("measured")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder data set of two classes of random photos."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for split, size in (("train", 6), ("val", 2), ("test", 3)):
        for name in ("a_bird", "b_bird"):
            (folder / split / name).mkdir(parents=True)
            for i in range(size):
                pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{i}.png")
    return folder


def checkpoint(folder: Path, *, attention: bool = True) -> Path:
    return save(
        LAFE("test_resnet", 2, 64, attention=attention),
        folder,
        ["a bird", "b bird"],
        title="Two birds",
        recipe={"data": "folder", "seed": 0, "epochs": 3, "objective": "switched"},
        training={
            "photos": 14,
            "held_out": 2,
            "best_epoch": 2,
            "hours": 1.5,
            "started_from": {
                "recipe": {"epochs": 7, "objective": "paper", "seed": 4},
                "training": {"best_epoch": 6, "hours": 0.25},
            },
        },
        limits=["It has seen noise only."],
    )


def report(folder: Path) -> reports.Evaluation:
    found = reports.read(folder, load_card(folder).sha256)
    assert found is not None
    assert found.evaluation is not None
    return found.evaluation


def distinct(value: Any, numbers: Iterator[int]) -> Any:
    """The same report with another number in every place, so that none passes for its neighbour."""
    if isinstance(value, dict):
        return {key: distinct(v, numbers) for key, v in value.items()}
    return 0.0123 * next(numbers) if isinstance(value, float) else value


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    """A checkout with a measured checkpoint, a measured plain backbone and one never measured."""
    root = tmp_path_factory.mktemp("root")
    for name, attention in (("full", True), ("plain", False), ("never", True)):
        checkpoint(root / "checkpoints" / name, attention=attention)
    evaluate(root / "checkpoints" / "plain", photos)
    plain = root / "checkpoints" / "plain"
    evaluate(root / "checkpoints" / "full", photos, against=plain, branches=True)
    file = root / "checkpoints" / "full" / "report.json"
    file.write_text(json.dumps(distinct(json.loads(file.read_text()), count(1))))
    (root / "docs").mkdir()
    (root / "README.md").write_text(
        f"{MEASURED[0]}\nold\n{MEASURED[1]}\nbefore\n{tables.BEGIN}\nold\n{tables.END}\nafter\n"
    )
    return root


def row(text: str, first: str) -> list[str]:
    """The cells of the only table row that starts with ``first``, with the signs of a keyboard."""
    text = text.replace("\N{MINUS SIGN}", "-")
    lines = [line for line in text.splitlines() if line.startswith(f"| {first} |")]
    assert len(lines) == 1, f"{len(lines)} rows start with {first}"
    return [cell.strip() for cell in lines[0].strip("|").split("|")][1:]


def test_figures_are_the_report_s(root: Path) -> None:
    text = tables.render([root / "checkpoints" / "full"])
    found = report(root / "checkpoints" / "full")
    for name, p in found.presets.items():
        shown = [float(cell) for cell in row(text, name)]
        assert found.calibration is not None
        tempered = found.calibration.presets[name]
        expected = [100 * p.top1, 100 * p.top5, 100 * p.ece, tempered.temperature]
        assert shown == pytest.approx([*expected, 100 * tempered.ece], abs=0.051)

    assert found.against_plain is not None
    d = found.against_plain.difference
    [shown] = row(text, "difference, points (interval)")
    assert [float(n) for n in shown.strip(")").replace("(", "").replace("to", "").split()] == (
        pytest.approx([100 * d.mean, 100 * d.low, 100 * d.high], abs=0.051)
    )

    b = found.branches
    assert b is not None
    logit, probe = b.logit_of_predicted, b.linear_probe_top1
    for first, values, scale in (
        ("mean centred logit of the predicted class", [logit.f5, logit.D, logit.C], 1),
        ("margin of the true class added, mean", [b.margin_added.D, b.margin_added.C], 1),
        (
            "predictions that change without it, %",
            [b.changes_without.D, b.changes_without.C],
            100,
        ),
        ("cosine of the pooled map with f_5's", [b.cosine_with_f5.D, b.cosine_with_f5.C], 1),
        ("linear probe of the pooled map, top-1 %", [probe.f5, probe.D, probe.C], 100),
    ):
        cells = [float(cell) for cell in row(text, first) if cell]
        assert cells == pytest.approx([scale * v for v in values], abs=0.0051 * scale**0.5)
    assert f"logit: {b.share:.2f}" in text


def test_branches_one_by_one_and_the_unknown(root: Path) -> None:
    text = tables.render([root / "checkpoints" / "full"])
    found = report(root / "checkpoints" / "full")
    full = found.presets["full"].top1
    assert found.switching is not None
    worth = np.array(found.switching.shapley.mean).flatten()
    for i, (name, off) in enumerate(found.switching.branch_off.items()):
        points, changed, value = map(float, row(text, f"`{name}`"))
        assert points == pytest.approx(100 * (off.top1 - full), abs=0.051)
        assert changed == pytest.approx(100 * off.changed, abs=0.051)
        assert value == pytest.approx(100 * worth[i], abs=0.0051)
    for kind, c in found.unknown.items():
        chosen = load_card(root / "checkpoints" / "full").unknown["score"]
        name = SCORES[kind]
        cells = row(text, f"**{name}**" if kind == chosen else name)
        assert c.left_out is not None
        assert float(cells[0]) == pytest.approx(c.threshold, abs=0.00051)
        shares = [100 * c.own_test_refused, 100 * c.left_out]
        assert [float(cell) for cell in cells[1:]] == pytest.approx(shares, abs=0.051)


def test_the_verdict_on_attention_opens_a_checkpoint_s_section(root: Path) -> None:
    folder = root / "checkpoints" / "full"
    found = reports.read(folder, load_card(folder).sha256)
    assert found is not None
    assert found.attention is not None
    text = tables.render([folder])
    section = text[text.index("\n## Two birds\n") :]
    assert section.index(f"**{found.attention.verdict}**") < section.index("| Setting |")
    for name, stand_in in found.attention.stand_ins.items():
        top1, changed, lost = row(text, name)
        assert float(top1) == pytest.approx(100 * stand_in.top1, abs=0.051)
        assert float(changed) == pytest.approx(100 * stand_in.changed, abs=0.051)
        assert lost == stand_in.cost.percent(sign=True)
    for name, gate in found.attention.gates.items():
        figures = (gate.mean, gate.deviation, gate.photo_share)
        shown = [float(cell) for cell in row(text, name)]
        assert shown == pytest.approx(figures, abs=0.0051), name
    maps = found.attention.maps | {
        f"{side} - random {side}": likeness for side, likeness in found.attention.randomised.items()
    }
    for name, likeness in maps.items():
        means = [m.mean for m in (likeness.spearman, likeness.top_fifth) if m is not None]
        cells = row(text, name.replace(" - ", " and "))
        shown = [float(cell.replace("\N{MINUS SIGN}", "-")) for cell in cells]
        assert shown == pytest.approx(means, abs=0.00051), name
    added = found.attention.margins.D
    assert f"D adds {added.mean:+.2f} ({added.low:+.2f} to {added.high:+.2f})" in text


def test_the_settings_that_training_drew_are_counted(root: Path) -> None:
    card = load_card(root / "checkpoints" / "full")
    assert tables._drawn(card) == ""
    some = replace(card, training={**card.training, "settings": f"{(1 << 4095) + 5:01024x}"})
    assert tables._drawn(some).startswith("Training drew 3 of the 4,096 settings (0%)")


def test_every_figure_names_its_file_and_command(root: Path) -> None:
    text = tables.render([root / "checkpoints" / "full"])
    assert "`checkpoints/full/report.json`, written by `lafe evaluate full --data DIR" in text
    assert (
        "`checkpoints/full/card.json`: 14 photos, "
        "7 epochs in 0.25 hours (objective `paper`, seed 4, epoch 6 kept), then "
        "3 epochs in 1.50 hours (objective `switched`, seed 0, epoch 2 kept)."
    ) in text
    assert row(text, "hours of training of the full model") == ["1.75"]
    assert "- It has seen noise only." in text


def test_plain_backbone_has_no_branch_figures(root: Path) -> None:
    text = tables.render([root / "checkpoints" / "plain"])
    assert "linear probe of the pooled map" not in text
    assert row(text, "`plain`")[-2:] == ["-", "-"]


def test_table_4_is_made_of_the_result_files(tmp_path: Path) -> None:
    recipe = Recipe("small", "folder", "net", 96, 96, epochs=4, lr=0.01)
    for variant, seed, top1 in (("lafe", 0, 0.6), ("lafe", 1, 0.7), ("plain", 0, 0.62)):
        run = sweep.Result(
            "small", variant, seed, Provenance("lafe sweep small", "2026-01-01"), recipe,
            Training(14, 2, 1, 0.5), 1200, 9, {"full": Accuracy(top1, 1.0, 0.1)},
        )  # fmt: skip
        records.write(tmp_path / f"small-{variant}-{seed}.json", run)
    text = tables.render([], tmp_path)
    assert row(text, "LAFE") == ["65.0", "7.1", "+3.0", "-", "60.0, 70.0", "1.00"]
    assert row(text, "plain backbone") == ["62.0", "-", "-", "-", "62.0", "0.50"]
    assert "From 3 files" in text
    assert "net at 96 px; 9 classes, 4 epochs; 1,200 test photos" in text


def test_speed_is_that_of_the_bench(tmp_path: Path) -> None:
    def run(name: str, **changes: Any) -> None:
        line = bench.Row("a work", "one", 0.4567, 0.2, 0.5, (0.123, 0.456), 7)
        rows = (line, replace(line, **{"work": "a second", "against": "two"} | changes))
        models = {"net at 96": bench.ModelSpeed(rows, 0.251)}
        records.write(tmp_path / "docs" / name, bench.Speed("x", 3, "9.9", models))

    (tmp_path / "docs").mkdir()
    assert "## Speed" not in tables.render_checkout(tmp_path)
    run("bench.json")
    run("bench-old.json", against="an old one", ratio=0.3)
    text = tables.render_checkout(tmp_path)
    assert row(text, "a work") == ["one", "0.457", "0.2", "0.5", "0.123", "0.456", "7"]
    assert "net at 96; peak memory of `factorial` over the model's own: 0.25 GB" in text
    assert "3 threads (torch 9.9, x)" in text
    assert text.count("| a work |") == 1
    old = text[text.index("net at 96, from `docs/bench-old.json`") :]
    assert row(old, "a second")[:2] == ["an old one", "0.3"]


def test_speed_of_weights_that_were_replaced_is_told(root: Path, tmp_path: Path) -> None:
    line = bench.Row("a work", "one", 0.4567, 0.2, 0.5, (0.123, 0.456), 7)
    folder, file = root / "checkpoints" / "full", tmp_path / "bench.json"
    for sha256, earlier in ((load_card(folder).sha256, False), ("0" * 64, True), ("", True)):
        models = {"full": bench.ModelSpeed((line,), 0.1, sha256)}
        records.write(file, bench.Speed("x", 3, "9.9", models))
        text = tables.render([folder], speed=[file])
        assert ("full (an earlier checkpoint of this name); peak memory" in text) == earlier
        assert ("\nfull; peak memory" in text) != earlier


def test_what_visitors_had_is_a_row_a_run(tmp_path: Path) -> None:
    grown = {"after 5 uploads": 1_500_000, "after 9 uploads": 1_520_000}
    click, first = Spread(4321.0, 9876.0, 9), Spread(3.21, 6.54, 50)
    had = Visits(50, 120, 1234, ("B's",), click, first, grown, 1077, 2, 2, 0.26, think=7.5)
    alone = replace(had, visitors=1, click_to_prediction_ms=None, app_memory_kb={}, load=None)
    records.write(tmp_path / "docs" / "soak.json", had)
    records.write(tmp_path / "docs" / "soak-one.json", alone)
    text = tables.render_checkout(tmp_path)
    memory = "1.50 GB after 5 uploads, 1.52 GB after 9 uploads"
    load = "0.3 on 2 cores"
    cells = ["50", "7.5", "1,234", "1", "1,077", "2", "4.32 (9.88)", "3.2 (6.5)", memory, load]
    assert row(text, "`docs/soak.json`") == cells
    assert row(text, "`docs/soak-one.json`")[6:] == ["-", "3.2 (6.5)", "-", "-"]


def test_report_of_other_weights_is_refused(root: Path, tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "full")
    stale = (root / "checkpoints" / "full" / "report.json").read_text()
    (folder / "report.json").write_text(stale)
    with pytest.raises(reports.ReportError, match=r"full/report\.json describes other weights"):
        tables.render([folder])


def test_a_checkpoint_that_was_not_evaluated_is_left_out(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "full")
    assert tables.read([folder]) == []
    records.write(folder / "report.json", Report("full", load_card(folder).sha256))
    assert tables.read([folder]) == []


def test_write_fills_both_files_and_leaves_the_rest(root: Path) -> None:
    tables.write(root)
    first = (root / "README.md").read_text()
    assert first.startswith(f"{MEASURED[0]}\nWhat was measured on test photos: ")
    assert f"\n{MEASURED[1]}\nbefore\n{tables.BEGIN}\n| checkpoint |" in first
    assert first.endswith(f"{tables.END}\nafter\n")
    assert "old" not in first
    assert "`never`" not in first
    assert (root / "docs" / "results.md").read_text().count("\n## Two birds\n") == 2
    tables.write(root)
    assert (root / "README.md").read_text() == first


def test_what_attention_is_worth_is_said_in_a_sentence(root: Path) -> None:
    said = tables.render_measured([root / "checkpoints" / "full", root / "checkpoints" / "plain"])
    folder = root / "checkpoints" / "full"
    found = reports.read(folder, load_card(folder).sha256)
    assert found is not None
    assert found.attention is not None
    swapped, places = (
        found.attention.stand_ins[name].changed
        for name in ("other photo, rescaled", "other region gates")
    )
    assert f"`full` {100 * swapped:.0f} % ({100 * places:.0f} %); " in said
    presets = report(folder).presets
    full, none = (100 * presets[name].top1 for name in ("full", "plain backbone"))
    assert f"with none, `full` {full:.1f} and {none:.1f} %.\n" in said
    assert tables.render_measured([root / "checkpoints" / "plain"]).startswith("Nothing")


@pytest.mark.parametrize(
    ("keep", "said"), [("best", "photos that chose the epoch:"), ("last", "held-out photos:")]
)
def test_held_out_photos_chose_the_epoch_where_the_last_is_not_kept(
    root: Path, keep: str, said: str
) -> None:
    [result] = tables.read([root / "checkpoints" / "full"])
    recipe = {**result.card.recipe, "keep": keep}
    figures = {"held_out": {"photos": 4, "top1": 0.75}}
    card = replace(result.card, recipe=recipe, figures=figures)
    assert f"{said} 75.0 %." in tables._trained(replace(result, card=card))


def test_missing_markers_are_named() -> None:
    with pytest.raises(tables.ResultsError, match="README"):
        tables.between_markers("no markers", "table")


def test_committed_figures_are_up_to_date() -> None:
    folders = tables.checkpoints(ROOT)
    if not tables.read(folders):
        pytest.skip("No checkpoint was measured yet.")
    assert (ROOT / "docs" / "results.md").read_text() == tables.render_checkout(ROOT), (
        "lafe results"
    )
    readme = (ROOT / "README.md").read_text()
    assert readme == tables.between_markers(
        readme, tables.render_summary(folders, ROOT / tables.SWEEPS)
    )
    assert readme == tables.between_markers(readme, tables.render_measured(folders), "measured")


def test_recipes_that_differ_in_prose_alone_are_the_same_recipe() -> None:
    def how(**apart: tuple[Any, Any]) -> str:
        return tables._how(SimpleNamespace(recipe_differences=apart))  # type: ignore[arg-type]

    prose = {"title": ("A", "B"), "hours": ("1 hour", "2 hours"), "about": ("", "plain")}
    assert how(**prose) == "by the same recipe, as both cards say"
    assert how(**prose, epochs=(4, 8)) == "by another recipe (`epochs` 8 instead of 4)"


def test_the_proposed_crop_stands_between_the_whole_photo_and_the_true_box(tmp_path: Path) -> None:
    file = tmp_path / "crops.json"
    found = crops.Cropped(
        "drawn birds", "a", "0" * 64, 8, proposed=7, offered=2, whole=0.5, crop=0.25, box=1.0,
        ruled=0.625, overlap=0.4,
    )  # fmt: skip
    records.write(file, {"a": found})
    cells = row(tables.render([], cropped=file), "drawn birds")
    assert cells == ["8", "50.0", "25.0", "62.5", "100.0", "25.0", "0.40"]
