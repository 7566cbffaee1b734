"""The page "Which question, which call" names calls and commands that there are."""

from __future__ import annotations

import re
from pathlib import Path

import lafe
from lafe.cli.main import parser

PAGE = (Path(lafe.__file__).parents[1] / "docs" / "questions.md").read_text(encoding="utf-8")


def test_every_call_is_public() -> None:
    names = set(re.findall(r"\blafe\.(\w+)\(", PAGE))
    assert len(names) >= 8
    assert names <= set(lafe.__all__)


def test_every_command_is_parsed_as_it_stands() -> None:
    commands = re.findall(r"`lafe ((?:predict|depth|swap|sufficient|region|ablate) [^`]*)`", PAGE)
    commands += re.findall(r"`lafe ((?:explain|interactions|faithfulness) [^`]*)`", PAGE)
    assert len(commands) >= 9
    for command in commands:
        words = [quoted or bare for quoted, bare in re.findall(r'"([^"]*)"|(\S+)', command)]
        assert parser().parse_args(words).run
