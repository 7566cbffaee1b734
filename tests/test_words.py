"""Docstrings of the code: verb or noun phrases, which a reader of a list of them understands."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

RIDDLES = {
    *("What", "Whether", "Which", "Who", "Whose", "Why", "How", "Where", "When"),
    *("Of", "For", "By", "As", "In", "At", "With", "To", "From", "That", "Those", "It", "Its"),
    *("Their", "There", "So", "This", "These", "Does", "Do", "Is", "Are"),
}
"""Words that begin a question, a clause or a phrase that hangs on something else."""


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Every docstring with its line: of the module, of classes and functions, and below a name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for each in node.body:
                match each:
                    case ast.Expr(ast.Constant(str(text))):
                        yield each.lineno, text


def riddles(source: str) -> list[str]:
    """The docstrings that do not say at once what they are about."""
    found = []
    for line, text in docstrings(source):
        first = text.split()[0].strip(",.:;") if text.split() else ""
        if first in RIDDLES or "there and back" in text:
            found.append(f"{line}: {text.splitlines()[0]}")
    return found


def test_riddles_are_found_wherever_a_docstring_may_stand() -> None:
    source = '''"""What there is to say."""
X = 1
"""Of the model."""
class A:
    """A class."""
    def f(self):
        """Whether it is so."""
        g("What is no docstring")
    def g(self):
        """Count both passes, there and back."""
'''
    assert [text.partition(":")[0] for text in riddles(source)] == ["1", "3", "7", "10"]


def test_a_docstring_is_a_verb_or_a_noun_phrase() -> None:
    files = [f for root in ("lafe", "app", "scripts") for f in sorted((ROOT / root).rglob("*.py"))]
    assert len(files) > 100
    found = {file: riddles(file.read_text(encoding="utf-8")) for file in files}
    assert {str(file.relative_to(ROOT)): text for file, text in found.items() if text} == {}
