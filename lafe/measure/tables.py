"""The tables of measured figures in docs/results.md and README.md, from the checkpoints' reports.

Whoever reads a figure there can find its file and the command that wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lafe.checkpoints.card import Card
from lafe.checkpoints.store import load_card
from lafe.files import write_text
from lafe.measure import bench, crops, records, report, scaling, sweep, words as said
from lafe.measure.faithfulness import protocols
from lafe.measure.faithfulness.registry import Findings
from lafe.measure.markdown import (
    ResultsError as ResultsError,
    between_markers,
    markers,
    table as _table,
)
from lafe.measure.protocols import Faithfulness
from lafe.measure.report import (
    REPORT,
    AgainstPlain,
    Attention,
    BranchFigures,
    Confusion,
    Evaluation,
    Slice,
    Switching,
    hours_of,
)
from lafe.measure.visits import Visits
from lafe.render.text import number
from lafe.train.recipe import PROSE

SWEEPS = "checkpoints/results"
SPEED = "docs/bench.json"
BROWSER = "docs/soak.json"
BEGIN, END = markers("figures")
PARTS = {"speed": scaling.speed, "growth": scaling.growth, "cost": scaling.cost}
"""The parts of docs/scale.md that are written."""

_HEAD = """# Results

Written by `lafe results`; do not edit.  Every figure is a measurement of a checkpoint of this
repository, on test photos that had no part in training.  The temperatures, the threshold of the
unknown and, where it is not the last one, the epoch were chosen on photos that are held out from
training.  The test split was looked at throughout development, between one recipe and the next.
Each figure was taken after the float16 weights were read back from disk.  Intervals are 95 %
bootstrap intervals over photos.  One training run stands behind each row (one seed), so they do not
cover what another seed would change.
"""

_EXPLAINED = """## What the columns say

- **top-1, top-5**: share of test photos whose class is the first, or among the first five.
- **ECE**: expected calibration error over 15 bins of equal width, of the softmax of the logits as
  they are; **as shown**: with the setting's temperature, as people see it.
- **setting**: which branches are on *at inference*, in the one trained model.  There, "plain
  backbone" is that model with all twelve branches off; it is not a trained plain backbone.
- **trained plain backbone**: another training without the branches, by the same recipe
  (`--variant plain`) where the checkpoint's section does not say otherwise.
- **difference**: top-1 of the full model less that of the trained plain backbone, in points, paired
  over photos.
- **share of the branches**: mean of |full - none| / (|full - none| + |none|), of the predicted
  class's logit, centred over the classes.
- **score**: the one in bold is the card's.
- **linear probe**: top-1 of a logistic regression on the pooled map alone, fitted to training
  photos.
"""


@dataclass(frozen=True)
class Result:
    """A checkpoint's card and what was measured of it."""

    folder: Path
    card: Card
    evaluation: Evaluation
    attention: Attention | None
    faithfulness: Faithfulness | None

    @property
    def file(self) -> str:
        """The report, as people are told of it."""
        return f"`checkpoints/{self.folder.name}/{REPORT}`"


def read(folders: Iterable[Path]) -> list[Result]:
    """The checkpoints that ``lafe evaluate`` measured; the others are left out.

    Raises:
        lafe.measure.report.ReportError: a report that cannot be used.
        lafe.CheckpointError: a card that cannot be used.
    """
    results = []
    for folder in folders:
        card = load_card(folder)
        found = report.read(folder, card.sha256)
        if found and found.evaluation:
            results.append(
                Result(folder, card, found.evaluation, found.attention, found.faithfulness)
            )
    return results


def render(
    folders: Iterable[Path],
    sweeps: Path | None = None,
    speed: Sequence[Path] = (),
    browser: Sequence[Path] = (),
    cropped: Path | None = None,
) -> str:
    """All measured figures, as the Markdown of ``docs/results.md``.

    ``sweeps`` is the folder of the result files of ``lafe sweep``; ``speed`` are files of ``lafe
    bench``, the main one first; ``browser`` those of ``scripts/soak.py``; ``cropped`` that
    of ``lafe crops``.
    """
    results = read(folders)
    summary = f"## In one table\n\n{_summary(results)}\n"
    trained = [_sweep(*item) for item in _sweeps(sweeps).items()] if sweeps else []
    weights = {r.folder.name: r.card.sha256 for r in results}
    measured = [_speed(speed, weights)] if speed else []
    seen = [_browser(browser)] if browser else []
    sections = map(_section, results)
    taken = [_crops(cropped)] if cropped else []
    return "\n".join([_HEAD, summary, *sections, *taken, *trained, *measured, *seen, _EXPLAINED])


def render_checkout(root: Path) -> str:
    """All that was measured in a checkout."""
    speed, browser = (runs(root / name) for name in (SPEED, BROWSER))
    cropped = root / "checkpoints" / crops.FILE
    return render(
        checkpoints(root), root / SWEEPS, speed, browser, cropped if cropped.is_file() else None
    )


def render_summary(folders: Iterable[Path], sweeps: Path | None = None) -> str:
    """One row a checkpoint, and the seeds, as the Markdown between the markers of ``README.md``."""
    runs = _sweeps(sweeps) if sweeps else {}
    return _summary(read(folders)) + "".join(_seeds(*item) for item in runs.items())


def render_measured(folders: Iterable[Path]) -> str:
    """The worth of attention in a sentence, for what ``README.md`` says first."""
    known = [(r, r.attention) for r in read(folders) if r.attention]
    if not known:
        return "Nothing was measured yet.\n"
    moved, right = [], []
    for r, attention in known:
        alone = attention.stand_ins["other region gates"].changed
        changed = attention.stand_ins["other photo, rescaled"].changed
        moved.append(f"`{r.card.name}` {100 * changed:.0f} % ({100 * alone:.0f} %)")
        full, none = (r.evaluation.presets[name].top1 for name in ("full", "plain backbone"))
        right.append(f"`{r.card.name}` {_percent(full)} and {_percent(none)} %")
    return (
        "What was measured on test photos: predictions that change when another photo's gates "
        f"stand in for the photo's own (for those of places alone), {', '.join(moved)}; named "
        f"rightly with all branches and with none, {', '.join(right)}.\n"
    )


def checkpoints(root: Path) -> list[Path]:
    """The checkpoints of a checkout, by name."""
    return sorted(card.parent for card in (root / "checkpoints").glob("*/card.json"))


def write(root: Path) -> list[Path]:
    """Write ``docs/results.md`` and the figures in other pages of a checkout; returns the files.

    Raises:
        ResultsError: README.md has lost its markers.
        lafe.measure.report.ReportError: a file of figures that cannot be used.
    """
    folders = checkpoints(root)
    results, readme = root / "docs" / "results.md", root / "README.md"
    summary = render_summary(folders, root / SWEEPS)
    text = between_markers(readme.read_text(encoding="utf-8"), summary)
    text = between_markers(text, render_measured(folders), "measured")
    if said := scaling.sentence(root):
        text = between_markers(text, said, "speed")
    write_text(results, render_checkout(root))
    write_text(readme, text)
    return [results, readme, *write_scale(root)]


def write_scale(root: Path) -> list[Path]:
    """Write the parts of ``docs/scale.md`` whose figures were measured; returns it if it is there.

    Raises:
        ResultsError: it has lost markers.
        lafe.measure.report.ReportError: a file of figures that cannot be used.
    """
    page = root / "docs" / "scale.md"
    if not page.is_file():
        return []
    text = page.read_text(encoding="utf-8")
    for part, render in PARTS.items():
        text = between_markers(text, render(root), part, page.name)
    write_text(page, text)
    return [page]


def runs(main: Path) -> list[Path]:
    """A file of measurements, and those of other runs: their names go on after a hyphen."""
    others = sorted(main.parent.glob(f"{main.stem}-*.json"))
    return [main, *others] if main.is_file() else []


def _sweeps(folder: Path) -> dict[str, list[sweep.Result]]:
    return sweep.by_sweep(map(sweep.read, sorted(folder.glob("*.json"))))


def _seeds(name: str, runs: Sequence[sweep.Result]) -> str:
    """Our objective against a plain backbone over seeds, in a sentence; empty for one seed."""
    rows = {row.variant: row for row in sweep.table(runs)}
    pair = [rows.get(variant) for variant in ("attentive", "plain")]
    if any(row is None or row.deviation is None for row in pair):
        return ""
    ours, plain = (
        f"{_percent(row.mean)} ± {_percent(row.deviation or 0.0)} ({len(row.seeds)} seeds)"
        for row in pair
        if row
    )
    return (
        f"\nOver seeds, mean and deviation of top-1 %, from `{SWEEPS}/{name}-*.json` "
        f"({sweep.setting(runs[0])}): objective `attentive` {ours}, plain backbone {plain}.\n"
    )


def _sweep(name: str, runs: Sequence[sweep.Result]) -> str:
    """Table 4 of one sweep, with what differs from the paper."""
    rows = sweep.table(runs)
    beside = sweep.beside_paper(rows, runs[0].recipe.data)
    plain = next((r for r in rows if r.variant == "plain"), None)
    cells = [
        [
            sweep.ROWS[r.variant],
            _percent(r.mean),
            "-" if r.deviation is None else _percent(r.deviation),
            "-" if plain is None or r is plain else number(100 * (r.mean - plain.mean), "+.1f"),
            str(beside.get(r.variant, "-")),
            ", ".join(_percent(top1) for top1 in r.top1),
            f"{r.hours:.2f}",
        ]
        for r in rows
    ]
    head = [
        "trained as",
        "top-1 %, mean",
        "deviation",
        "against plain, points",
        "against LAFE, points",
        "each seed",
        "hours",
    ]
    return (
        f"## {sweep.title(rows)} (`{name}`)\n\n"
        f"From {len(runs)} files `checkpoints/results/{name}-*.json`, written by "
        f"`{sweep.command(name, rows)}`.  Unlike in the paper: {sweep.setting(runs[0])}; "
        f"{runs[0].photos:,} test photos.  All rows: the same recipe and epochs, starting at a "
        "linear probe where the recipe says so.  The deviation is that over seeds.  Hours are "
        "wall-clock.\n\n"
        f"{_table(head, cells)}\n{sweep.verdict(rows)}\n"
    )


def _speed(files: Sequence[Path], weights: Mapping[str, str]) -> str:
    """Ratios of medians, a table a model; then those of other runs that the first lacks.

    ``weights``: of the checkpoints that there are now, by name.
    """
    first, *others = (records.read(file, bench.Speed) for file in files)

    def named(name: str, of: str) -> str:
        same = of == weights.get(name, of)
        return name if same else f"{name} (an earlier checkpoint of this name)"

    tables = []
    for name, model in first.models.items():
        memory = model.peak_memory_gb
        peak = "not measured" if memory is None else f"{memory:.2f} GB"
        tables.append(
            f"{named(name, model.sha256)}; peak memory of `factorial` over the model's own: {peak}:"
            "\n\n"
            f"{_ratios(model.rows)}"
        )
    for file, other in zip(files[1:], others, strict=True):
        for name, model in other.models.items():
            known = {row.against for row in first.models[name].rows}
            if more := [row for row in model.rows if row.against not in known]:
                said = named(name, model.sha256)
                tables.append(f"{said}, from `docs/{file.name}`:\n\n{_ratios(more)}")
    return (
        f"## Speed\n\nFrom `{SPEED}`, written by `lafe bench --out {SPEED}` with "
        f"{first.threads} threads (torch {first.torch}, {first.machine}).  A "
        "ratio is that of the medians of both sides, which took turns; under 1, the work is "
        "faster.  “By multiplications”: the same ratio, counted.  “At most” was asked for "
        "ResNet-50 at 448 px.\n\n"
        "Up to TorchCAM 0.4, a GradCAM's backward pass runs through the whole model; since 0.5 it "
        "ends at the layers that are explained, here f_5, D and C, and both sides are little more "
        "than a forward pass.  Compiled: `lafe.compiled(model)`, once the compiler is done.  Where "
        "a ratio depends on the version, runs with both are below.\n\n" + "\n".join(tables)
    )


def _ratios(rows: Iterable[bench.Row]) -> str:
    head = ["work", "against", "ratio", "by multiplications", "at most", "s", "s", "turns"]
    cells = [
        [
            *(r.work, r.against),
            *(f"{v:.3g}" for v in (r.ratio, r.floor, r.at_most, *r.seconds)),
            str(r.repeats),
        ]
        for r in rows
    ]
    return _table(head, cells)


def _crops(file: Path) -> str:
    """The crop that the app proposes, next to the whole photo and the true box."""
    rows = [
        [
            f.what,
            f"{f.photos:,}",
            *map(_percent, (f.whole, f.crop, f.ruled, f.box, f.offered / f.photos)),
            number(f.overlap, ".2f"),
        ]
        for f in records.read(file, crops.Crops).values()
    ]
    head = [
        "photos",
        "how many",
        "whole, top-1 %",
        "always the proposed crop",
        "where it is offered, else whole",
        "true box",
        "offered, % of photos",
        "overlap",
    ]
    return (
        f"## The proposed crop\n\n{_table(head, rows)}\nOffered: to photos that look like nothing "
        "that the model knows (its threshold accepts 95 % of held-out photos of its own kind), "
        "where the crop looks more like it.  Every column asks the model of the photo's own kind; "
        "the app has to recognise that first, and of a scene with a small car it often does not, "
        "so that there it is right less often than this.  Overlap: intersection over union of the "
        f"proposed crop and the true box, mean.  From `checkpoints/{file.name}`, by "
        "`lafe crops --data DIR`.\n"
    )


def _browser(files: Sequence[Path]) -> str:
    """The waiting times of visitors in a browser, a row a run."""
    rows = []
    for file in files:
        run = records.read(file, Visits)
        click, first = run.click_to_prediction_ms, run.page_to_first_prediction_s
        grown = run.app_memory_kb.items()
        rows.append(
            [
                f"`docs/{file.name}`",
                str(run.visitors),
                f"{run.think:g}",
                f"{run.results_checked:,}",
                str(len(run.wrong)),
                f"{run.hostile:,}",
                str(run.restarts),
                f"{click.median / 1000:.2f} ({click.p95 / 1000:.2f})" if click else "-",
                f"{first.median:.1f} ({first.p95:.1f})" if first else "-",
                ", ".join(f"{kb / 1e6:.2f} GB {when}" for when, kb in grown) or "-",
                "-" if run.load is None else f"{run.load:.1f} on {run.cores} cores",
            ]
        )
    head = [
        "file",
        "visitors at once",
        "s of a look before a click, mean",
        "results checked",
        "wrong",
        "hostile files refused",
        "restarts of the server",
        "click to prediction, median s (p95)",
        "page to first prediction, median s (p95)",
        "memory of the app",
        "load by others before",
    ]
    return (
        f"## In a browser\n\nWritten by `python scripts/soak.py --out {BROWSER}`, and for "
        "one visitor with `--visitors 1 --think 1 --uploads 0 --no-hostile`.  Each visitor has a "
        "window of one browser, a drawing, a checkpoint and switches of their own; each result is "
        "compared with one that was computed without the app; a click takes until the frame that "
        "shows it.  Hostile files are sent while all click; then come the uploads, and in the end "
        "the server is killed under an open page.  Memory is the median of five readings around "
        "that number of uploads.  The browser, "
        f"which draws all windows, ran on the same machine as the app.\n\n{_table(head, rows)}"
    )


def _summary(results: Sequence[Result]) -> str:
    if not results:
        return "Nothing was measured yet.\n"
    rows = []
    for r in results:
        against = r.evaluation.against_plain
        rows.append(
            [
                f"`{r.card.name}`",
                str(len(r.card.classes)),
                f"{r.card.backbone}, {r.card.input_size} px",
                f"{r.evaluation.photos:,}",
                r.evaluation.top1_interval.percent(),
                _percent(r.evaluation.presets["full"].top5),
                _percent(against.plain_top1) if against else "-",
                against.difference.percent(sign=True) if against else "-",
            ]
        )
    head = [
        "checkpoint",
        "classes",
        "backbone",
        "test photos",
        "top-1 % (interval)",
        "top-5 %",
        "trained plain backbone, top-1 %",
        "difference, points (interval)",
    ]
    files = ", ".join(r.file for r in results)
    return f"{_table(head, rows)}\nFrom {files}.\n"


def _section(r: Result) -> str:
    """Everything about one checkpoint."""
    e = r.evaluation
    source = e.source
    parts = [
        f"## {r.card.title or r.card.name}",
        f"From {r.file}, written by `{source.command}` on {source.date} "
        f"(torch {source.versions['torch']}, {source.machine}); weights sha256 "
        f"`{r.card.sha256[:12]}`, {e.photos:,} photos of the {e.split} split, {e.classes} classes.",
        f"Training, from `checkpoints/{r.folder.name}/card.json`: {_trained(r)}",
        "Settings of the switches at inference:",
        _columns(said.presets(e)),
    ]
    if r.attention:
        parts[2:2] = [_attention(r.attention)]
    if e.calibration:
        parts.append(f"Temperatures were fitted on {e.calibration.fitted_on:,} held-out photos.")
    if drawn := _drawn(r.card):
        parts.append(drawn)
    if e.against_plain:
        how = _how(e.against_plain)
        parts += [f"Against a plain backbone that was trained {how}:", _against(r, e.against_plain)]
    if e.branches:
        parts += ["What the branches do:", _branches(e.branches)]
    if e.switching:
        parts += [
            "One branch at a time, over the test split, at inference:",
            _switching(e.switching, e.presets["full"].top1),
        ]
    if e.confused:
        parts += ["Mixed up most often:", _confused(e.confused)]
    if e.slices:
        parts += ["Harder photos:", _slices(e.slices)]
    if e.unknown:
        parts += ["Photos of what the model does not know:", _unknown(r)]
    for protocol, findings in protocols.findings(r.faithfulness) if r.faithfulness else ():
        parts += [f"{protocol.title}:", _protocol(findings, r.file)]
    if r.card.limits:
        parts += ["Limits:", "".join(f"- {limit}\n" for limit in r.card.limits)]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _trained(r: Result) -> str:
    runs = ", then ".join(_runs(r.card.training, r.card.recipe))
    held_out = r.card.figures.get("held_out")
    if held_out:
        did = "" if r.card.recipe.get("keep") == "last" else " that chose the epoch"
        top1 = _percent(held_out["top1"])
        said = f"Top-1 on the {held_out['photos']:,} held-out photos{did}: {top1} %."
    else:
        said = "No photo was held out: the last epoch is kept."
    return f"{r.card.training['photos']:,} photos, {runs}.  {said}"


def _runs(training: dict[str, Any], recipe: dict[str, Any]) -> list[str]:
    """The run and those that it started from, the first one first."""
    before = training.get("started_from")
    earlier = _runs(before["training"], before["recipe"]) if before else []
    here = (
        f"{recipe['epochs']} epochs in {training['hours']:.2f} hours (objective "
        f"`{recipe['objective']}`, seed {recipe['seed']}, epoch {training['best_epoch']} kept)"
    )
    return [*earlier, here]


def _attention(a: Attention) -> str:
    """The verdict, what it costs to take the photo's gates away, and what the maps are."""
    return "\n".join(
        [
            f"**{a.verdict}**\n",
            _columns(said.stand_ins(a)),
            f"{said.STAND_INS}\n",
            _columns(said.gates(a)),
            f"{said.margins(a)}\n",
            _columns(said.maps(a)),
            said.MAPS,
        ]
    )


def _drawn(card: Card) -> str:
    """The number of settings that training drew; empty where the card does not say it."""
    drawn = [card.drew(index) for index in range(4096)]
    if None in drawn:
        return ""
    count = sum(map(bool, drawn))
    return f"Training drew {count:,} of the 4,096 settings ({count / 4096:.0%}), and no other."


def _how(against: AgainstPlain) -> str:
    """The differences of the plain backbone's recipe, in words, but for prose."""
    apart = {k: both for k, both in against.recipe_differences.items() if k not in PROSE}
    if not apart:
        return "by the same recipe, as both cards say"
    listed = "; ".join(f"`{k}` {theirs} instead of {ours}" for k, (ours, theirs) in apart.items())
    return f"by another recipe ({listed})"


def _against(r: Result, against: AgainstPlain) -> str:
    theirs = against.plain_training
    rows = [
        ["full, top-1 %", _percent(r.evaluation.presets["full"].top1)],
        ["trained plain backbone, top-1 %", _percent(against.plain_top1)],
        ["difference, points (interval)", against.difference.percent(sign=True)],
        ["photos that only the full model gets right", f"{against.only_full_right:,}"],
        ["photos that only the plain backbone gets right", f"{against.only_plain_right:,}"],
        ["hours of training of the full model", f"{hours_of(r.card.training):.2f}"],
        ["hours of training of the plain backbone", f"{theirs.hours:.2f}" if theirs else "-"],
    ]
    return _table(["", "measured"], rows)


def _branches(b: BranchFigures) -> str:
    logit, probe = b.logit_of_predicted, b.linear_probe_top1
    rows = [
        [
            "mean centred logit of the predicted class",
            *(number(v, ".2f") for v in (logit.f5, logit.D, logit.C)),
        ],
        [
            "margin of the true class added, mean",
            "",
            *(number(v, "+.2f") for v in (b.margin_added.D, b.margin_added.C)),
        ],
        [
            "predictions that change without it, %",
            "",
            *map(_percent, (b.changes_without.D, b.changes_without.C)),
        ],
        [
            "cosine of the pooled map with f_5's",
            "",
            *(number(v, ".2f") for v in (b.cosine_with_f5.D, b.cosine_with_f5.C)),
        ],
        [
            "linear probe of the pooled map, top-1 %",
            *map(_percent, (probe.f5, probe.D, probe.C)),
        ],
    ]
    table = _table(["", "f_5", "D (added)", "C (subtracted)"], rows)
    return (
        f"{table}\nShare of the branches in the predicted class's logit: "
        f"{number(b.share, '.2f')}.  "
        f"Predictions that change without all twelve: {_percent(b.changes_without.both)} %.  "
        "The logit and the margin of C are those of -C.\n"
    )


def _switching(s: Switching, full: float) -> str:
    worth = [v for row in s.shapley.mean for v in row]  # in the order of the branches
    rows = [
        [
            f"`{name}`",
            number(100 * (off.top1 - full), "+.1f"),
            _percent(off.changed),
            number(100 * value, "+.2f"),
        ]
        for (name, off), value in zip(s.branch_off.items(), worth, strict=True)
    ]
    head = [
        "branch",
        "top-1 without it, points",
        "predictions that change, %",
        "mean Shapley value, points of the true class's probability",
    ]
    return _table(head, rows)


def _slices(slices: Sequence[Slice]) -> str:
    rows = [[s.name, str(s.photos), s.percent()] for s in slices]
    return _table(["subset", "photos", "top-1 % (interval)"], rows)


def _unknown(r: Result) -> str:
    compared = r.evaluation.unknown
    table = _columns(said.unknown(compared, r.card.unknown["score"]))
    return f"{table}\n{said.about_unknown(compared)}"


def _protocol(found: Findings, file: str) -> str:
    """The findings of a protocol: answers, then a row a map."""
    parts = ["".join(f"- *{question}*  {answer}\n" for question, answer in found.answers)]
    for table in found.tables:
        lead = f"{table.lead}\n\n" if table.lead else ""
        parts += [lead + _columns(table.columns), f"{table.explained}\n" if table.explained else ""]
    parts.append(
        f"{found.counted}  From {file}, written by `{found.source.command}` on {found.source.date}."
    )
    return "\n".join(filter(None, parts))


def _columns(columns: Mapping[str, Sequence[str]]) -> str:
    return _table(list(columns), zip(*columns.values(), strict=True))


def _confused(pairs: Sequence[Confusion]) -> str:
    rows = [[p.true, p.predicted, str(p.photos)] for p in pairs]
    return _table(["true class", "predicted", "photos"], rows)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
