"""Names in scripts that matplotlib's own font lacks: by an installed font, else by their index."""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.font_manager import fontManager
from PIL import Image
from tiny import CLASSES, tiny_model

import lafe
from lafe import Switches
from lafe.checkpoints.store import save
from lafe.render import figure, fonts
from lafe.render.comparison import Choice, Comparison, compare
from lafe.render.figure import render

BIRD = "翠鳥"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that has matplotlib's fonts only."""
    own = [font for font in fontManager.ttflist if font.name.startswith("DejaVu")]
    monkeypatch.setattr(fontManager, "ttflist", own)
    fonts._family_with.cache_clear()
    fontManager._findfont_cached.cache_clear()
    yield
    fonts._family_with.cache_clear()
    fontManager._findfont_cached.cache_clear()


def install(folder: Path, family: str, letters: str, *, truetype: bool) -> None:
    """A font whose letters are filled squares."""
    names = [".notdef", *(f"u{ord(letter):x}" for letter in letters)]
    builder = FontBuilder(1000, isTTF=truetype)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(c): n for c, n in zip(letters, names[1:], strict=True)})
    glyphs = {}
    for name in names:
        pen = TTGlyphPen(None) if truetype else T2CharStringPen(1000, None)
        pen.moveTo((50, 0))
        for point in ((50, 900), (950, 900), (950, 0)):
            pen.lineTo(point)
        pen.closePath()
        glyphs[name] = pen.glyph() if truetype else pen.getCharString()
    if truetype:
        builder.setupGlyf(glyphs)
    else:
        builder.setupCFF(family, {}, glyphs, {})
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 50)))
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": family, "styleName": "Regular", "psName": family})
    builder.setupOS2(sTypoAscender=900, usWeightClass=400)
    builder.setupPost()
    file = folder / f"{family}.{'ttf' if truetype else 'otf'}"
    builder.save(file)
    fontManager.addfont(file)


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    names = [f"{BIRD}{k}" for k in range(CLASSES)]
    model = lafe.load(save(tiny_model(), tmp_path / "birds", names, title="翠鳥モデル"))
    photo = Image.effect_noise((120, 90), 60).convert("RGB")
    return compare(photo, [Choice(model, Switches.all()), Choice(model, Switches.none())])


def drawn(comparison: Comparison) -> dict[str, bytes]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # as for a letter that no font has
        return render(comparison)


def test_its_own_font_is_enough_for_most(tmp_path: Path) -> None:
    install(tmp_path, "Aaa", "ABC", truetype=True)
    for text in ("Käuzchen", "Бекас", "μ, F₅ and \N{MINUS SIGN}C", "1.5 TSI"):
        assert fonts.family_for(text) == fonts.OWN


def test_the_first_installed_font_that_has_the_letters_helps(tmp_path: Path) -> None:
    assert fonts.family_for(BIRD) is None
    install(tmp_path, "Half", BIRD[0], truetype=True)
    assert fonts.family_for(BIRD) is None
    install(tmp_path, "Whole", BIRD, truetype=True)
    install(tmp_path, "Zzz", BIRD, truetype=True)
    assert fonts.family_for(BIRD) == fonts.family_for(f"A {BIRD}, 5 %") == "Whole"
    assert fonts.family_for(BIRD[0]) == "Half"


def test_a_font_that_cannot_be_read_helps_nobody(tmp_path: Path) -> None:
    install(tmp_path, "Broken", BIRD, truetype=True)
    (tmp_path / "Broken.ttf").write_bytes(b"no font")
    fonts._letters.cache_clear()
    assert fonts.family_for(BIRD) is None


@pytest.mark.parametrize("truetype", [True, False])
def test_a_figure_is_written_with_it(
    comparison: Comparison, tmp_path: Path, truetype: bool
) -> None:
    before = drawn(comparison)
    install(tmp_path, "Birds", f"{BIRD}モデル", truetype=truetype)
    panel = comparison.panels[0]
    assert figure._words(panel, several_models=True).startswith(f"A  full, 翠鳥モデル: {BIRD}")
    after = drawn(comparison)
    assert after["figure.png"] != before["figure.png"]
    assert re.search(rb"/FontName /(?:[A-Z]{6}\+)?Birds", after["figure.pdf"])


def test_without_one_the_class_s_index_is_said(comparison: Comparison) -> None:
    panel = comparison.panels[0]
    label = int(panel.fused.logits.argmax())
    words = figure._words(panel, several_models=True)
    assert f": class {label} (no font here has its name), " in words
    assert f"model {panel.card.sha256[:8]} (no font here has its name)" in words
    drawn(comparison)
