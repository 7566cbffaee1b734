"""Questions of one photo, as a user types them."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny import SIZE, tiny_model

import lafe
from lafe.checkpoints.store import save
from lafe.cli.main import main
from lafe.data import partbirds
from lafe.explain import parts
from lafe.measure.locator import DRAWN

CLASSES = ["Blue Jay", "Cardinal", "Ovenbird", "Fish Crow", "Gadwall"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    model = tiny_model()
    with torch.no_grad():
        model.classifier.bias.zero_()
    return str(save(model, tmp_path_factory.mktemp("model") / "tiny", CLASSES))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, checkpoint: str) -> tuple[str, str, str, str]:
    """Two photos that are taken for two classes, and these."""
    folder, model = tmp_path_factory.mktemp("photos"), lafe.load(checkpoint)
    seen: dict[str, str] = {}
    rng = torch.Generator().manual_seed(0)
    for i in range(20):
        level = torch.randint(0, 256, (6, 6, 3), generator=rng, dtype=torch.uint8)
        picture = Image.fromarray(level.numpy()).resize((SIZE, SIZE), Image.Resampling.NEAREST)
        picture.save(folder / f"{i}.png")
        name = model.card.classes[int(model(model.preprocess(picture)).argmax())]
        seen.setdefault(name, str(folder / f"{i}.png"))
        if len(seen) == 2:
            (a, first), (b, second) = seen.items()
            return first, second, a, b
    raise AssertionError("All photos are of one class.")


def test_evidence_against_several_classes_is_what_python_gives(
    checkpoint: str,
    pair: tuple[str, str, str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, _, source, _ = pair
    others = [name for name in CLASSES if name != source][:2]
    file = tmp_path / "map.png"
    command = ["evidence", path, "--checkpoint", checkpoint, "--versus", *others]
    command += ["--strength", "0.5", "--picture", str(file)]
    assert main([*command, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    model = lafe.load(checkpoint)
    photo = lafe.prepare(model, lafe.open_photo(path))
    versus = [CLASSES.index(name) for name in others]
    found = lafe.evidence(photo, versus=versus, strength=0.5)
    logits = photo.logits(lafe.Switches.all())
    by_hand = logits[CLASSES.index(source)] - 0.5 * logits[versus].mean()
    assert row["logit"] == pytest.approx(float(by_hand), abs=1e-5)
    assert sum(row["parts"].values()) == pytest.approx(row["logit"], abs=1e-5)
    torch.testing.assert_close(torch.tensor(row["map"]), found.total)
    assert Image.open(file).size == (SIZE, SIZE)
    assert main([*command[:4], "--versus", others[0], source]) == 2
    assert "name other classes" in capsys.readouterr().err
    assert main(command) == 2  # the file is there
    assert main([*command, "--force"]) == 0
    assert f"{source} rather than {', '.join(others)}: {row['logit']:+.3f} = " in (
        capsys.readouterr().out
    )


def test_a_swap_is_the_one_that_python_gives(
    checkpoint: str, pair: tuple[str, str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, source, target = pair
    assert main(["swap", a, b, "--checkpoint", checkpoint, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    model = lafe.load(checkpoint)
    photo, other = (lafe.prepare(model, lafe.open_photo(path)) for path in (a, b))
    found = lafe.swap(photo, other, target=target)
    assert (row["a"], row["target"], row["winner"]) == (source, target, CLASSES[found.winner])
    assert [(tuple(p), tuple(q)) for p, q in row["edits"]] == list(found.edits)
    pasted = lafe.paste(photo, other, found)
    assert row["in_pixels"] == {"survives": pasted.survives, "winner": CLASSES[pasted.winner]}


def test_a_swap_is_told_and_drawn(
    checkpoint: str,
    pair: tuple[str, str, str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    a, b, source, target = pair
    picture = tmp_path / "swap.png"
    args = ["--checkpoint", checkpoint, "--picture", str(picture)]
    assert main(["swap", a, b, *args]) == 0
    said = capsys.readouterr().out
    assert source in said
    assert f"{target} is above it; with one fewer, whichever, it is not" in said
    assert "A place sees far more than its patch" in said
    with Image.open(picture) as drawn:
        assert drawn.size == (2 * 480 + 8, 480)
    assert main(["swap", a, b, *args]) == 2  # not over what is there
    assert "--force" in capsys.readouterr().err


def test_an_unknown_class_is_named_with_what_comes_near(
    checkpoint: str, pair: tuple[str, str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["--checkpoint", checkpoint, "--target", "Fish Crown"]
    assert main(["swap", *pair[:2], *args]) == 2
    assert "did you mean 'Fish Crow'" in capsys.readouterr().err


def test_places_that_suffice_are_those_that_python_gives(
    checkpoint: str, pair: tuple[str, str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sufficient", pair[0], "--checkpoint", checkpoint, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    found = lafe.sufficient(lafe.prepare(lafe.load(checkpoint), lafe.open_photo(pair[0])))
    assert [tuple(p) for p in row["places"]] == list(found.places)
    assert (row["target"], row["versus"]) == (pair[2], CLASSES[found.versus])
    assert main(["sufficient", pair[0], "--checkpoint", checkpoint]) == 0
    assert f"keep {pair[2]} above {CLASSES[found.versus]}" in capsys.readouterr().out


def test_a_region_is_a_box_or_a_mask(
    checkpoint: str,
    pair: tuple[str, str, str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    painted = Image.new("L", (SIZE, SIZE))
    painted.paste(255, (0, 0, SIZE // 3, SIZE // 3))
    painted.convert("RGB").save(tmp_path / "mask.png")
    base = ["region", pair[0], "--checkpoint", checkpoint, "--versus", pair[3]]
    rows = []
    for where in (
        ["--box", "0", "0", str(1 / 3), str(1 / 3)],
        ["--mask", str(tmp_path / "mask.png")],
    ):
        assert main([*base, *where, "--json"]) == 0
        rows.append(json.loads(capsys.readouterr().out))
    assert rows[0] == rows[1]
    photo = lafe.prepare(lafe.load(checkpoint), lafe.open_photo(pair[0]))
    e = lafe.evidence(photo, versus=CLASSES.index(pair[3]))
    assert rows[0]["inside"] == pytest.approx(float((e.backbone + e.dis + e.con)[0, 0]), abs=1e-5)
    assert rows[0]["coverage"] == pytest.approx(1 / 9)
    assert main([*base, "--box", "0", "0", "1", "1"]) == 0
    assert f"to {pair[2]} rather than {pair[3]}" in capsys.readouterr().out


def test_classes_without_known_groups_have_no_depth(
    checkpoint: str, pair: tuple[str, str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["depth", pair[0], "--checkpoint", checkpoint]) == 2
    assert "Nothing is known of groups" in capsys.readouterr().err


def test_predict_only_among_some_classes(
    checkpoint: str, pair: tuple[str, str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    among = ["--among", pair[3], pair[2], pair[3]]
    assert (
        main(["predict", pair[0], "--checkpoint", checkpoint, *among, "--top", "5", "--json"]) == 0
    )
    top = json.loads(capsys.readouterr().out)["top"]
    assert {each["class"] for each in top} == {pair[2], pair[3]}
    assert sum(each["probability"] for each in top) == pytest.approx(1)


def test_interactions_are_written_for_shapiq(
    checkpoint: str,
    pair: tuple[str, str, str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    base = ["interactions", pair[0], "--checkpoint", checkpoint, "--index", "STII"]
    assert main([*base, "--order", "2", "--out", str(tmp_path / "table.json")]) == 0
    assert f"STII of the probability of {pair[2]}" in capsys.readouterr().out
    file = json.loads((tmp_path / "table.json").read_text())
    table = lafe.factorial(lafe.prepare(lafe.load(checkpoint), lafe.open_photo(pair[0])))
    values = table.values(CLASSES.index(pair[2]))
    assert file["data"]["Empty"] == pytest.approx(float(values[0]))
    assert sum(file["data"].values()) == pytest.approx(float(values[-1]))
    assert len(file["data"]) == 1 + 12 + 66
    assert main([*base, "--order", "13"]) == 2
    assert main([*base, "--out", str(tmp_path / "table.npz")]) == 2
    assert "end in .json" in capsys.readouterr().err


def test_evidence_by_part_is_told_with_what_differs_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    birds = partbirds.CLASSES
    names = [bird.name for bird in birds]
    folder = save(tiny_model(classes=len(birds)), tmp_path / "drawn", names,
                  data={"name": "partbirds"})  # fmt: skip
    file = tmp_path / "bird.png"
    Image.fromarray(partbirds.draw(birds[0], 7, size=SIZE).image).save(file)
    command = ["parts", str(file), "--checkpoint", str(folder)]
    command += ["--target", names[0], "--versus", names[3]]
    assert main(command) == 2
    assert "run `lafe locator" in capsys.readouterr().err
    model = lafe.load(folder)
    photo = lafe.prepare(model, lafe.open_photo(file))
    weight = torch.randn(len(DRAWN), parts.stacked(photo.features).shape[1]) / 10
    error = {parts.NEAR: 0.75, parts.CENTRE: 0.25}
    locator = parts.Locator(DRAWN, weight, torch.zeros(len(DRAWN)), model.card.sha256, error)
    parts.write(folder, locator)
    assert main([*command, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    found = parts.by_part(photo, parts.read(folder, model), target=0, versus=3)
    assert row["parts"] == pytest.approx(dict(found.parts), abs=1e-5)
    looks = [birds[i].parts["crown"] for i in (0, 3)]
    assert row["words"]["crown"] == f"{looks[0]} against {looks[1]}"
    assert set(row["words"]) == set(partbirds.differing(birds[0], birds[3]))
    assert main(command) == 0
    told = capsys.readouterr().out
    assert f"{100 * found.share('crown'):6.1f} %" in told
    assert row["words"]["tail"] in told
    assert "in 75 % (the middle of the photo: 25 %)" in told
