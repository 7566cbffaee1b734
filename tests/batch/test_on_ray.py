"""Ray's rows are those of one process, and a worker that is killed loses none."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pyarrow import parquet
from tiny import tiny_model

from lafe.batch import on_ray
from lafe.batch.jobs import Job, jobs
from lafe.batch.on_ray import Actors, said_on_ray
from lafe.batch.rows import Predictions
from lafe.branches import Switches
from lafe.checkpoints.store import load_card, save
from lafe.cli.main import main

ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")

CLASSES = ["Blue Jay", "Cardinal", "Ovenbird", "Grackle", "Crow"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A Ray that several tests share."""
    with pytest.MonkeyPatch.context() as patch:
        tests = Path(__file__).resolve().parents[1]
        patch.setenv("PYTHONPATH", os.pathsep.join([str(tests.parent), str(tests)]))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # 15 of its own starves on a busy machine
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=on_ray.STORE,
            log_to_driver=False,
        )
        patch.setattr(on_ray, "start", lambda _: None)
        patch.setattr("lafe.cli.rows.start", lambda _: None)
        patch.setattr("lafe.cli.rows.stop", lambda: None)
        yield "shared"
        ray.shutdown()


@pytest.fixture
def world(tmp_path: Path) -> tuple[str, Path]:
    """A checkpoint, and photos of which one cannot be read and one has an odd name."""
    folder = save(tiny_model(), tmp_path / "tiny", CLASSES)
    photos = tmp_path / "photos" / "Crow"
    photos.mkdir(parents=True)
    for i in range(24):
        picture = Image.effect_noise((70, 90), 20 + 8 * i).convert("RGB")
        picture.save(photos / f"{i:02}.png")
    (photos / "07.png").write_bytes(b"no photo")
    (photos / "08.png").rename(photos / os.fsdecode(b"caf\xe9.png"))
    return str(folder), tmp_path / "photos"


def table(file: Path) -> dict[str, dict[str, Any]]:
    found = parquet.read_table(file).to_pylist()
    assert len({row["photo"] for row in found}) == len(found)
    return {row["photo"]: row for row in found}


def test_ray_gives_the_rows_of_one_process(
    cluster: str, world: tuple[str, Path], tmp_path: Path
) -> None:
    checkpoint, photos = world
    args = ["predict", str(photos), "--checkpoint", checkpoint, "--versus", "none", "--top", "2"]
    args += ["--batch-size", "3"]
    assert main([*args, "--parquet", str(tmp_path / "one.parquet")]) == 1
    shards = ["--parquet", str(tmp_path / "many"), "--maps", str(tmp_path / "maps")]
    assert main([*args, *shards, "--ray", cluster, "--actors", "2"]) == 1
    one, many = table(tmp_path / "one.parquet"), table(tmp_path / "many")
    assert one.keys() == many.keys()
    assert len(one) == 24
    for name, row in one.items():
        other = many[name]
        for column in ("probability", "b_probability"):
            assert row[column] == pytest.approx(other.pop(column), abs=1e-5)
            del row[column]
        for a, b in zip(row.pop("top") or [], other.pop("top") or [], strict=True):
            assert a["class"] == b["class"]
        assert row == other
    made = json.loads(parquet.read_schema(next((tmp_path / "many").iterdir())).metadata[b"lafe"])
    assert made["switches"] == "all"


def test_a_folder_of_shards_is_gone_on_with(
    cluster: str,
    world: tuple[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint, photos = world
    out = tmp_path / "rows"
    args = ["--checkpoint", checkpoint, "--parquet", str(out), "--ray", cluster, "--actors", "1"]
    assert main(["predict", str(photos / "Crow" / "0*.png"), *args]) == 1  # 07.png is no photo
    first = table(out)
    assert len(first) == 9
    args.append("--resume")
    for more, reason in (
        (["--switches", "none"], "its switches is 'all'"),
        (["--checkpoint", str(save(tiny_model(1), tmp_path / "other", CLASSES))], "its checkpoint"),
    ):
        assert main(["predict", str(photos), *args, *more]) == 2
        assert reason in capsys.readouterr().err
    assert table(out) == first
    Image.new("RGB", (70, 90), "green").save(photos / "Crow" / "07.png")
    assert main(["predict", str(photos), *args]) == 0
    assert "8 photos were done before" in capsys.readouterr().err
    found = table(out)
    assert len(found) == 24
    assert [row["error"] for row in found.values()] == [None] * 24
    assert all(found[name] == row for name, row in first.items() if row["error"] is None)


def test_a_worker_that_is_killed_loses_nothing(cluster: str, world: tuple[str, Path]) -> None:
    checkpoint, photos = world
    todo = jobs([photos], load_card(checkpoint)).todo
    todo = tuple(
        Job(f"{turn}/{job.name}", job.path, job.label) for turn in range(8) for job in todo
    )
    actors = Actors(checkpoint, 2, "cpu", 1, 0)
    found, killed = [], []
    for said in said_on_ray(Predictions(Switches.all()), todo, actors):
        found.append(said.job)
        if not killed:
            killed = workers()[:1]
            os.kill(killed[0], signal.SIGKILL)
    assert killed
    assert sorted(job.name for job in found) == sorted(job.name for job in todo)


def workers() -> list[int]:
    """The processes of our Ray's actors: children of its raylet, by what they call themselves."""
    (raylet,) = ray._private.worker._global_node.all_processes["raylet"]
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_bytes()
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if title.startswith(b"ray::MapWorker") and parent == raylet.process.pid:
            found.append(int(folder.name))
    return found
