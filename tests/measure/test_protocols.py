"""Protocols that others publish, on worked examples, and against TorchCAM and Quantus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn
from worlds import World

import lafe
from lafe import Switches
from lafe.checkpoints import reading as stores
from lafe.data.preprocess import Preprocess
from lafe.measure import report as reports
from lafe.measure.bootstrap import Mean
from lafe.measure.faithfulness.curves import at_size
from lafe.measure.faithfulness.drop import average_drop, kept, relative_drop, without_top
from lafe.measure.faithfulness.grid import mosaic, share_of_tile
from lafe.measure.faithfulness.places import PARTS
from lafe.measure.faithfulness.protocols import PROTOCOLS, measure
from lafe.measure.faithfulness.registry import FaithfulnessError, Order
from lafe.measure.faithfulness.single_deletion import cell_sums, rank_correlation, without_cells
from lafe.measure.faithfulness.swap_parts import near, parts_by_place, same
from lafe.measure.protocols import Scores
from lafe.measure.provenance import Provenance

# ---- grid


def test_a_mosaic_holds_each_photo_made_smaller() -> None:
    tiles = [torch.full((1, 3, 8, 8), float(i)) for i in range(4)]
    whole = mosaic(tiles)
    assert whole.shape == (1, 3, 8, 8)
    assert whole[0, 0, ::4, ::4].tolist() == [[0, 1], [2, 3]]
    assert whole[0, 1, :4, 4:].unique().tolist() == [1]
    with pytest.raises(ValueError, match="no square"):
        mosaic(tiles[:3])
    with pytest.raises(ValueError, match="8 px"):
        mosaic([*tiles, *tiles, tiles[0]])


def test_the_share_of_a_tile_by_hand() -> None:
    heat = np.array([[3, -1], [1, -2]], np.float32)
    tiles = [share_of_tile(np.kron(heat, np.ones((4, 4))), tile, 2, 8) for tile in range(4)]
    assert tiles == pytest.approx([0.75, 0, 0.25, 0])
    assert share_of_tile(np.ones((5, 5)), 3, 2, 8) == pytest.approx(0.25)  # a flat map: chance
    assert share_of_tile(-np.ones((5, 5)), 3, 2, 8) is None


def test_the_share_of_a_tile_is_quantus_attribution_localisation() -> None:
    quantus = pytest.importorskip("quantus")
    heat = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)
    mask = np.zeros((1, 1, 8, 8), bool)
    mask[..., :4, 4:] = True
    metric = quantus.AttributionLocalisation(
        positive_attributions=True, abs=False, normalise=False, disable_warnings=True
    )
    (theirs,) = metric.evaluate_batch(
        x_batch=np.zeros((1, 1, 8, 8)), a_batch=heat[None, None], s_batch=mask
    )
    assert share_of_tile(heat, 1, 2, 8) == pytest.approx(theirs, abs=1e-6)


# ---- drop


def test_drops_by_hand() -> None:
    assert average_drop(0.8, 0.2) == pytest.approx(0.75)
    assert average_drop(0.4, 0.6) == 0
    assert relative_drop(0.4, 0.6) == pytest.approx(-0.5)


def test_the_photo_is_kept_where_the_map_is_positive() -> None:
    x = torch.full((1, 3, 2, 2), 2.0)
    heat = np.array([[-3, 0], [2, 4]], np.float32)
    assert kept(x, heat)[0, 0].tolist() == [[0, 0], [1, 2]]
    assert kept(x, -np.ones((2, 2), np.float32)).abs().sum() == 0


def test_the_highest_pixels_go() -> None:
    x = torch.ones(1, 3, 4, 4)
    heat = np.arange(16, dtype=np.float32).reshape(4, 4)
    rest = without_top(x, heat, 0.25)
    assert rest[0, 2].tolist() == [[1] * 4, [1] * 4, [1] * 4, [0] * 4]


class Linear(nn.Module):
    """A convolution, and a linear layer on its mean: Grad-CAM is known."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.relu(self.conv(x)).mean((2, 3)))


def test_average_drop_and_increase_are_torchcams() -> None:
    methods = pytest.importorskip("torchcam.methods")
    metrics = pytest.importorskip("torchcam.metrics")
    torch.manual_seed(0)
    model = Linear().eval()
    nn.init.normal_(model.fc.weight, std=4)
    drops, increases = [], []
    with methods.GradCAM(model, "relu") as cam:
        theirs = metrics.ClassificationMetric(cam, lambda z: z.softmax(-1))
        for x in torch.randn(8, 1, 3, 6, 6):
            theirs.update(x)
            p = model(x).softmax(1)[0].detach()
            target = int(p.argmax())
            features = model.relu(model.conv(x))[0].detach()
            # Its map is of the probability, whose gradient has the mean class taken off.
            weight = model.fc.weight.detach()
            heat = torch.einsum("c,chw->hw", weight[target] - p @ weight, features)
            if not (heat > 0).any():
                continue  # TorchCAM leaves such photos out, too
            with torch.no_grad():
                after = float(model(kept(x, heat.numpy())).softmax(1)[0, target])
            drops.append(average_drop(float(p[target]), after))
            increases.append(after > float(p[target]))
    summary = theirs.summary()
    assert len(drops) >= 4
    assert np.mean(drops) == pytest.approx(summary["avg_drop"], abs=1e-4)
    assert np.mean(increases) == pytest.approx(summary["conf_increase"])


# ---- single deletion


def test_each_cell_goes_in_turn() -> None:
    found = without_cells(torch.ones(1, 3, 8, 8), 2)
    assert found.shape == (4, 3, 8, 8)
    assert [int((x == 0).sum()) for x in found] == [3 * 16] * 4
    assert found[2, :, 4:, :4].abs().sum() == 0


def test_the_sums_of_cells_by_hand() -> None:
    heat = np.arange(16, dtype=np.float32).reshape(4, 4)
    assert cell_sums(heat, 2, 4).tolist() == [10, 18, 42, 50]


def test_a_linear_score_is_ranked_rightly_by_its_own_terms() -> None:
    x = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    weight = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(1))
    lost = ((x - without_cells(x, 4)) * weight).sum((1, 2, 3)).numpy()
    terms = (x[0] * weight).sum(0).numpy()
    assert rank_correlation(cell_sums(terms, 4, 8), lost) == pytest.approx(1)
    other = np.random.default_rng(0).normal(size=(8, 8))
    expected = spearmanr(other.reshape(4, 2, 4, 2).sum((1, 3)).ravel(), lost).statistic
    assert rank_correlation(cell_sums(other, 4, 8), lost) == pytest.approx(expected)
    assert rank_correlation(np.ones(16), lost) is None


# ---- swaps


def test_parts_by_place_by_hand() -> None:
    """A photo of 200 x 100 px; the model sees its middle half, as 4 x 4 places."""
    preprocess = Preprocess(64, 32, (0.5,) * 3, (0.5,) * 3)
    points = np.zeros((len(PARTS), 3))
    points[PARTS.index("beak")] = 51, 26, 1  # just inside, at the upper left
    points[PARTS.index("left wing")] = 149, 74, 1  # the lower right
    points[PARTS.index("right wing")] = 149, 73, 1
    points[PARTS.index("tail")] = 49, 50, 1  # beside what the model sees
    points[PARTS.index("nape")] = 100, 50, 0  # not visible
    found = parts_by_place(points, (200, 100), preprocess, 4)
    assert found == {(0, 0): {"beak"}, (3, 3): {"wing"}}


def test_near_and_same_keypoints_by_hand() -> None:
    a, b = {(0, 0): {"beak", "eye"}}, {(1, 1): {"eye"}, (2, 2): {"tail"}}
    edits = [((0, 0), (1, 1)), ((0, 0), (2, 2)), ((0, 0), (3, 3)), ((5, 5), (3, 3))]
    assert [near(e, a, b) for e in edits] == [1, 1, 0.5, 0]
    assert [same(e, a, b) for e in edits] == [1, 0, 0, 0]


# ---- from photos to the report


@pytest.mark.parametrize("protocol", ["drop", "idsds"])
def test_a_protocol_measures_the_test_photos_and_writes_its_place_in_the_report(
    world: World, tmp_path: Path, protocol: str
) -> None:
    order = Order(world.full, world.data, photos=3, methods=("evidence", "D"), out=tmp_path)
    findings = measure(protocol, order)
    written = reports.read(tmp_path, world.model.card.sha256)
    assert written is not None
    assert written.faithfulness is not None
    found = getattr(written.faithfulness.protocols, protocol)
    assert {"evidence", "D", "centre", "random"} <= set(found.rows)
    assert found.photos == 3
    assert "--protocol " + protocol in findings.source.command
    table, *published = findings.tables
    assert len(published) == (protocol == "drop")
    assert len(set(map(len, table.columns.values()))) == 1
    assert "Evidence, all parts" in table.columns["Map"]
    assert found.rows["evidence"] != found.rows["random"]


@pytest.mark.parametrize(("delete_cell", "words"), [(0.5, "was fine-tuned"), (0, "was not")])
def test_single_deletion_says_whether_the_model_was_fine_tuned_for_it(
    world: World, tmp_path: Path, delete_cell: float, words: str
) -> None:
    stored = stores.read(world.full)
    card = replace(stored.card, recipe={**stored.card.recipe, "delete_cell": delete_cell})
    replace(stored, card=card).write(tmp_path / "model")
    order = Order(tmp_path / "model", world.data, photos=1, methods=("evidence",))
    ((_, said),) = measure("idsds", order).answers
    assert words in said


def test_single_deletion_of_one_photo_is_what_forward_passes_say(
    world: World, tmp_path: Path
) -> None:
    measure("idsds", Order(world.full, world.data, photos=1, methods=("evidence",), out=tmp_path))
    written = reports.read(tmp_path, world.model.card.sha256)
    assert written is not None
    assert written.faithfulness is not None
    assert written.faithfulness.protocols.idsds is not None
    found = written.faithfulness.protocols.idsds.rows["evidence"]["correlation"]
    test, model = world.photos("test"), world.model
    first = int(np.random.default_rng(0).permutation(len(test))[0])
    photo, target = lafe.prepare(model, test.photo(first)), test.labels[first]
    lost = []
    for row in range(4):
        for column in range(4):
            x = photo.x.clone()
            x[:, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 0
            with torch.no_grad():
                lost.append(float(photo.logits(Switches.all())[target] - model(x)[0, target]))
    e = lafe.evidence(photo, target=target)
    heat = at_size((e.backbone + e.dis + e.con).numpy(), 32)
    said = [heat[8 * r : 8 * r + 8, 8 * c : 8 * c + 8].sum() for r in range(4) for c in range(4)]
    if found is None:  # a map of one place says the same of every cell
        assert np.ptp(said) == pytest.approx(0, abs=1e-6)
    else:
        assert found.mean == pytest.approx(spearmanr(said, lost).statistic, abs=1e-6)


def test_photos_that_a_protocol_cannot_use_are_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(FaithfulnessError, match="No photo can be measured"):
        measure("grid", Order(world.full, world.data, out=tmp_path))  # three classes only
    with pytest.raises(FaithfulnessError, match="parts of birds"):
        measure("swap", Order(world.full, world.data, out=tmp_path))
    with pytest.raises(FaithfulnessError, match="no method 'gradcam'"):
        measure("drop", Order(world.full, world.data, methods=("gradcam",), out=tmp_path))


def scores(rows: dict[str, dict[str, float]]) -> Scores:
    means = {n: {k: Mean(v, v - 0.01, v + 0.01, 9) for k, v in r.items()} for n, r in rows.items()}
    return Scores(Provenance("lafe", "today"), "test", 9, 0.1, {"side": 2.0}, means)


def test_answers_say_what_the_figures_say() -> None:
    (_, said), *_ = PROTOCOLS["grid"].findings(scores({"evidence": {"share": 0.6}})).answers
    assert said.startswith("Yes, more than by chance: 60.0 (59.0 to 61.0) %")
    (_, said), *_ = PROTOCOLS["grid"].findings(scores({"evidence": {"share": 0.25}})).answers
    assert said.startswith("It is not shown")
    drops = scores({"evidence": {"top": 0.5}, "random": {"top": 0.1}})
    assert PROTOCOLS["drop"].findings(drops).answers[0][1].startswith("Yes, more than by chance")
    swaps = PROTOCOLS["swap"].findings(
        scores({"F5": {"edits": 3.0, "wins": 0.9, "survives": 0.2}, "D": {}})
    )
    assert "over all classes the target wins in 90.0" in swaps.answers[0][1]
    assert swaps.tables[0].columns["Places of"] == ["F5", "D"]
    assert swaps.tables[0].columns["Near-KP, %"] == ["-", "-"]
    assert "Near-KP 54.0" in swaps.tables[1].columns["Figures"][0]
