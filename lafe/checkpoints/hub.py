"""Checkpoints on the Hugging Face hub, the one thing that is ever fetched, and only by its name."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

from lafe.checkpoints.card import Card
from lafe.checkpoints.reading import read_card
from lafe.checkpoints.stored import CARD, WEIGHTS, CheckpointError

PREFIX = "hf-hub:"
"""Timm's spelling: ``hf-hub:user/name``, or ``hf-hub:user/name@revision``."""

# As the hub allows names: no two dashes or dots in a row, none of them at an end.
_PART = r"[A-Za-z0-9_]+(?:[-.][A-Za-z0-9_]+)*"
_NAME = re.compile(
    rf"{PREFIX}(?=[^@]{{3,96}}(?:@|$))(?P<repo>{_PART}/{_PART})"
    rf"(?:@(?P<revision>(?=.{{1,100}}$){_PART}(?:/{_PART})*))?"
)


def is_on_hub(name: object) -> bool:
    """True for the name of a checkpoint on the hub."""
    return isinstance(name, str) and name.startswith(PREFIX)


def parse(name: str) -> tuple[str, str | None]:
    """``user/name`` and the revision, if there is one.

    Raises:
        CheckpointError: anything else than two plain names.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise CheckpointError(
            f"{name!r} names nothing on the hub: write {PREFIX}user/name, or "
            f"{PREFIX}user/name@revision."
        )
    return found["repo"], found["revision"]


def fetch(name: str) -> Path:
    """The folder in the hub's cache with a checkpoint's weights; nothing else is fetched.

    Raises:
        CheckpointError: no such name, or it cannot be had.
    """
    import huggingface_hub

    repo, revision = parse(name)
    try:
        file = huggingface_hub.hf_hub_download(repo, WEIGHTS, revision=revision)
    except Exception as error:  # its own, those of its HTTP client, and the system's
        reason = str(error).strip().partition("\n")[0]
        raise CheckpointError(f"{name} cannot be fetched from the hub ({reason}).") from error
    return Path(file).parent


def push(folder: Path, name: str, *, private: bool = False) -> str:
    """Upload a checkpoint, with a model card; returns its address.

    Args:
        folder: of the checkpoint.
        name: ``hf-hub:user/name``; the repository is made unless it is there.
        private: seen by nobody else, if it is made.

    Raises:
        CheckpointError: a checkpoint that cannot be used, another name, or the hub refuses.
    """
    import huggingface_hub

    repo, revision = parse(name)
    card = read_card(folder)
    api = huggingface_hub.HfApi()
    try:
        with TemporaryDirectory() as temporary:
            draft = Path(temporary)
            for file in (WEIGHTS, CARD):
                (draft / file).symlink_to((folder / file).resolve())
            with (draft / "README.md").open("w", encoding="utf-8") as readme:
                readme.write(model_card(card, repo))
            api.create_repo(repo, private=private, exist_ok=True)
            api.upload_folder(
                repo_id=repo,
                folder_path=draft,
                revision=revision,
                commit_message=f"{card.title or card.name}, weights {card.sha256[:12]}",
            )
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise CheckpointError(f"{folder} cannot be uploaded as {name} ({reason}).") from error
    return f"https://huggingface.co/{repo}"


def model_card(card: Card, repo: str) -> str:
    """A checkpoint's card in the hub's form: metadata, then text."""
    from huggingface_hub import EvalResult, ModelCardData

    title, test = card.title or card.name, card.figures.get("test", {})
    data = card.data.get("name", "photos")
    results = [
        EvalResult("image-classification", data, data, kind, test[field], metric_name=kind)
        for kind, field in (("accuracy", "top1"), ("top-5 accuracy", "top5"))
        if field in test
    ]
    metadata = ModelCardData(
        license=(card.licence or "other").lower(),
        library_name="lafe",
        pipeline_tag="image-classification",
        tags=["lafe", "fine-grained", "explainability", card.model["backbone"]],
        model_name=title,
        eval_results=results or None,
    )
    lines = ["---", metadata.to_yaml(), "---", f"# {title}", ""]
    if card.verdict:
        lines += [card.verdict, ""]
    lines += [
        f"{len(card.classes)} classes; {card.model['backbone']} at {card.model['input_size']} px.",
        "",
        "```python",
        "import lafe",
        "",
        f'model = lafe.load("{PREFIX}{repo}")',
        "```",
        "",
    ]
    if card.limits:
        lines += ["## Limits", "", *(f"- {limit}" for limit in card.limits), ""]
    lines += ["## Classes", "", ", ".join(card.classes), ""]
    return "\n".join(lines)
