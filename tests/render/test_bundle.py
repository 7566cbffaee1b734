"""What people take away: loaded back, and recomputed from its own files."""

from __future__ import annotations

import io
import json
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import CLASSES, SIZE, tiny_model

import lafe
from lafe import LAFE, Switches
from lafe.branches import EVERY_BRANCH
from lafe.checkpoints.store import load, save
from lafe.cli.main import main
from lafe.render import bundle
from lafe.render.comparison import Choice, Comparison, compare
from lafe.render.printout import printout

NASTY = "<script>alert(1)</script> $\\frac{&"
BIRDS = ["Grey Owl", NASTY, "Crow", "Tern", "Gull"]
SETTINGS = ("all", "none", "r_dis345.c_con5")
BOX = (0.1, 0.25, 0.9, 1.0)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = tiny_model()
    with torch.no_grad():  # the class with the nasty name wins everywhere
        model.classifier.bias[1] += 3
    # A centre crop, as in training: the model sees less than the photo.
    folder = tmp_path_factory.mktemp("checkpoints") / "birds"
    return save(model, folder, BIRDS, resize=SIZE + 32, limits=["Not <b>for</b> birdwatchers"])


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> LAFE:
    return load(checkpoint)


@pytest.fixture(scope="module")
def photo_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn photo with a camera's EXIF, which must not get out."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    photo = Image.fromarray(pixels).resize((200, 160), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x010F], exif[0x8298] = "SecretCamera", "SecretOwner"
    file = tmp_path_factory.mktemp("photos") / "private-name.jpg"
    photo.save(file, exif=exif, quality=95)
    assert b"SecretCamera" in file.read_bytes()
    return file


@pytest.fixture(scope="module")
def comparison(model: LAFE, photo_file: Path) -> Comparison:
    photo = lafe.open_photo(photo_file)
    return compare(photo, [Choice(model, Switches.parse(text)) for text in SETTINGS], BOX)


@pytest.fixture(scope="module")
def packed(comparison: Comparison) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(bundle.archive(comparison)))


@pytest.fixture(scope="module")
def files(packed: zipfile.ZipFile) -> dict[str, bytes]:
    """The archive's files, as somebody would unpack them."""
    assert packed.testzip() is None
    return {name.removeprefix("comparison/"): packed.read(name) for name in packed.namelist()}


def maps_in(files: dict[str, bytes]) -> dict[str, np.ndarray]:
    return dict(np.load(io.BytesIO(files["maps.npz"]), allow_pickle=False))


def test_numbers_are_those_of_the_model_on_the_photo_inside(
    files: dict[str, bytes], model: LAFE
) -> None:
    x = model.preprocess(lafe.open_photo(files["photo.png"]))
    numbers, maps = json.loads(files["comparison.json"]), maps_in(files)
    assert [panel["letter"] for panel in numbers["panels"]] == ["A", "B", "C"]
    for panel, text in zip(numbers["panels"], SETTINGS, strict=True):
        assert panel["switches"] == text
        with torch.no_grad():
            logits = model(x, Switches.parse(text))[0]
        np.testing.assert_array_equal(maps[f"{panel['letter']}_logits"], logits.numpy())
        probabilities = [row["probability"] for row in panel["classes"]]
        labels = [row["label"] for row in panel["classes"]]
        assert [BIRDS[k] for k in labels] == [row["class"] for row in panel["classes"]]
        assert sorted(labels) == list(range(CLASSES))
        assert probabilities == sorted(probabilities, reverse=True)
        np.testing.assert_allclose(probabilities, logits.softmax(0)[labels], atol=1e-6)
        centred = [row["centred_logit"] for row in panel["classes"]]
        np.testing.assert_allclose(centred, (logits - logits.mean())[labels], atol=1e-5)


def test_maps_are_those_of_a_recorded_forward_pass(files: dict[str, bytes], model: LAFE) -> None:
    x = model.preprocess(lafe.open_photo(files["photo.png"]))
    maps = maps_in(files)
    for letter, text in zip("ABC", SETTINGS, strict=True):
        switches = Switches.parse(text)
        with torch.no_grad(), lafe.record(model) as r:
            model(x, switches)
        expected = {"final": r.F5[0].mean(0)}
        if text != "none":
            expected |= {"dis": r.D[0].mean(0), "con": r.C[0].mean(0)}
        for branch in EVERY_BRANCH:
            if switches[branch]:
                expected[str(branch)] = r[branch].map[0].mean(0)
        own = {k.removeprefix(f"{letter}_"): v for k, v in maps.items() if k[0] == letter}
        rest = {"logits", "evidence_backbone", "evidence_dis", "evidence_con"}
        assert own.keys() == expected.keys() | rest
        for name, value in expected.items():
            np.testing.assert_allclose(own[name], value.numpy(), atol=1e-5)


def test_the_readme_s_lines_recompute_the_logit_from_the_maps(
    files: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    readme = files["README.txt"].decode()
    code = readme.split("Read it\n")[1].split("\n\n")[0]
    exec("\n".join(line.strip() for line in code.splitlines()), {})
    evidence = json.loads(files["comparison.json"])["panels"][0]["evidence"]
    logits = maps_in(files)["A_logits"]
    assert float(capsys.readouterr().out) == pytest.approx(evidence["centred_logit"], abs=1e-4)
    assert evidence["centred_logit"] == pytest.approx(logits.max() - logits.mean(), abs=1e-4)


def test_the_photo_inside_is_the_crop_and_nothing_else(
    files: dict[str, bytes], photo_file: Path
) -> None:
    inside = Image.open(io.BytesIO(files["photo.png"]))
    expected = Image.open(photo_file).convert("RGB").crop((20, 40, 180, 160))
    np.testing.assert_array_equal(np.asarray(inside), np.asarray(expected))
    assert not inside.info
    for name, data in files.items():
        for secret in (b"Secret", b"Exif", b"private-name", b"<x:xmpmeta"):
            assert secret not in data, name


def test_settings_hashes_and_versions_are_told(files: dict[str, bytes], checkpoint: Path) -> None:
    numbers = json.loads(files["comparison.json"])
    assert numbers["crop"] == list(BOX)
    assert numbers["schema"] == bundle.SCHEMA == 1
    assert numbers["versions"]["lafe"] == lafe.__version__
    assert numbers["versions"]["torch"] == torch.__version__.split("+")[0]
    sha256 = json.loads((checkpoint / "card.json").read_text())["sha256"]
    assert {panel["checkpoint"]["sha256"] for panel in numbers["panels"]} == {sha256}
    assert numbers["panels"][2]["on"] == ["r_dis3", "r_dis4", "r_dis5", "c_con5"]


def test_the_archive_tells_no_date(packed: zipfile.ZipFile) -> None:
    """Its contents are made twice, and compared, by the test of the command."""
    assert {entry.date_time for entry in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_figure_embeds_its_fonts_as_truetype(files: dict[str, bytes]) -> None:
    pdf = files["figure.pdf"]
    assert pdf.startswith(b"%PDF-")
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    names = re.findall(rb"/FontName /(?:[A-Z]{6}\+)?([\w-]+)", pdf)
    assert names
    assert all(name.startswith(b"DejaVu") for name in names)


def test_figure_paints_each_map_over_what_the_model_sees(
    files: dict[str, bytes], comparison: Comparison
) -> None:
    figure = Image.open(io.BytesIO(files["figure.png"])).convert("RGB")
    dpi, column, gap = 300, (7 - 3 * 0.06) / 4, 0.06
    assert figure.width == 7 * dpi
    picture = comparison.panels[0].picture  # the centre crop of 96 px in 128 px of the part
    assert picture.size == (120, 90)
    tall = column * picture.height / picture.width
    rows = [0.24 + 0.22 + row * (tall + 0.22 + 0.06) for row in range(3)]

    def tile(row: int, place: int) -> np.ndarray:
        left, top = place * (column + gap), rows[row]
        box = (left + 0.04, top + 0.04, left + column - 0.04, top + tall - 0.04)
        part = figure.crop(tuple(round(dpi * edge) for edge in box))  # type: ignore[arg-type]
        return np.asarray(part.resize((40, 30)), np.float32)

    def expected(pixels: np.ndarray | Image.Image) -> np.ndarray:
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        x, y = (0.04 / side * n for side, n in ((column, image.width), (tall, image.height)))
        inner = image.resize((40, 30), box=(x, y, image.width - x, image.height - y))
        return np.asarray(inner, np.float32)

    for row, panel in enumerate(comparison.panels):
        assert np.abs(tile(row, 0) - expected(panel.picture)).mean() < 4
        for place, key in enumerate(("final", "dis", "con"), 1):
            painted = comparison.painted(panel, key)
            if painted is None:
                assert (tile(row, place) == 255).mean() > 0.9  # but for the word "off"
            else:
                assert np.abs(tile(row, place) - expected(painted)).mean() < 4


def test_one_scale_for_a_map_in_all_panels(comparison: Comparison) -> None:
    for key in ("final", "dis", "con"):
        maps = [m for panel in comparison.panels if (m := panel.map(key)) is not None]
        (low, high), signed = comparison.scale(key)  # type: ignore[misc]
        least, most = min(m.min() for m in maps), max(m.max() for m in maps)
        assert signed == (key == "final")  # whatever the values are
        assert (low, high) == ((-max(-least, most), max(-least, most)) if signed else (least, most))


class Page(HTMLParser):
    """Tags, attributes and visible text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_page_needs_nothing_from_outside(files: dict[str, bytes]) -> None:
    page = Page(files["report.html"].decode())
    sources = [value or "" for name, value in page.attributes if name in ("src", "href", "srcset")]
    assert len(sources) == 1 + 2 * (3 + 1 + 3)  # photo; map and legend of what is on
    assert all(re.match(r"data:image/(jpeg|png);base64,", source) for source in sources)
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    assert "@import" not in page.text
    assert "url(" not in page.text
    policy = dict(page.attributes)["content"] or ""
    assert any("default-src 'none'" in (value or "") for _, value in page.attributes), policy


def test_page_shows_names_as_text(files: dict[str, bytes]) -> None:
    page = Page(files["report.html"].decode())
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert page.text.count(NASTY) >= 3  # first in every panel
    assert "Not <b>for</b> birdwatchers" in page.text


def test_page_says_what_the_model_says(files: dict[str, bytes]) -> None:
    page = Page(files["report.html"].decode())
    for panel in json.loads(files["comparison.json"])["panels"]:
        for row in panel["classes"][:5]:
            assert f"{row['probability']:.1%}" in page.text
        assert f"{panel['evidence']['centred_logit']:+.3g}" in page.text
    assert page.text.count("3: on") == 4 + 0 + 1
    assert page.text.count("5: on") == 4 + 0 + 2


def test_a_photo_like_nothing_known_is_said_so(checkpoint: Path, photo_file: Path) -> None:
    strange = load(checkpoint)
    strange.card.unknown.update(score="max_probability", threshold=1.1)
    found = compare(lafe.open_photo(photo_file), [Choice(strange, Switches.none())])
    assert not found.panels[0].familiar
    assert "looks like nothing" in Page(printout(found)).text


def test_command_writes_the_same(
    checkpoint: Path, photo_file: Path, files: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "new" / "folder"
    args = ["explain", str(photo_file), "--checkpoint", str(checkpoint), "--out", str(out)]
    assert main([*args, "--switches", *SETTINGS, "--crop", *map(str, BOX)]) == 0
    assert {file.name: file.read_bytes() for file in out.iterdir()} == files


def test_command_makes_it_again_from_the_photo_inside(
    checkpoint: Path, files: dict[str, bytes], tmp_path: Path
) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(files["photo.png"])
    said = re.search(r"--switches (.*) --out", files["README.txt"].decode())
    assert said is not None
    out = tmp_path / "again"
    args = ["explain", str(photo), "--checkpoint", str(checkpoint), "--out", str(out)]
    assert main([*args, "--switches", *said[1].split()]) == 0
    assert (out / "maps.npz").read_bytes() == files["maps.npz"]


def test_command_replaces_nothing_unasked(
    checkpoint: Path, photo_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The photo that is looked at may have the name of one of the files."""
    mine = tmp_path / "photo.png"
    mine.write_bytes(photo_file.read_bytes())
    args = ["explain", str(mine), "--checkpoint", str(checkpoint), "--out", str(tmp_path)]
    assert main(args) == 2
    assert "photo.png is there already" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [mine]
    assert main([*args, "--force"]) == 0
    assert {file.name for file in tmp_path.iterdir()} == set(bundle.FILES)
    said = capsys.readouterr().out.splitlines()
    assert [text[:3] for text in said[:-1]] == ["A  ", "B  "]  # what is known comes first


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (["--crop", "0.5", "0", "0.4", "1"], "outside of the photo"),
        (["--switches", *["all"] * 9], "One to 8 settings"),
    ],
)
def test_bad_input_is_one_sentence(
    checkpoint: Path,
    photo_file: Path,
    tmp_path: Path,
    more: list[str],
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    args = ["explain", str(photo_file), "--checkpoint", str(checkpoint), "--out", str(tmp_path)]
    assert main([*args, *more]) == 2
    assert reason in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_each_model_reads_the_photo_once(model: LAFE, photo_file: Path) -> None:
    passes: list[int] = []
    hook = model.backbone.register_forward_hook(lambda *_: passes.append(1))
    settings = [Choice(model, Switches.all()), Choice(model, Switches.none())]
    compare(lafe.open_photo(photo_file), settings)
    hook.remove()
    assert passes == [1]


def test_controls_stand_in_for_the_gates_of_their_panel(model: LAFE, photo_file: Path) -> None:
    photo = lafe.open_photo(photo_file)
    controls = lafe.Controls(
        uniform=Switches.only("r_dis"), shuffled=Switches.only("c_con"), seed=3
    )
    on = Switches.all().without("r_dis", stages=(3,))
    learned, controlled = compare(photo, [Choice(model, on), Choice(model, on, controls)]).panels
    expected = lafe.prepare(model, photo).under(controls).logits(on)
    assert torch.equal(controlled.fused.logits, expected)
    assert not torch.equal(learned.fused.logits, expected)
    said = {"uniform": "r_dis45", "shuffled": "c_con345", "seed": 3}
    assert controlled.to_dict()["controls"] == said
    assert learned.to_dict()["controls"] == {}
    assert "uniform r_dis45" in controlled.setting
