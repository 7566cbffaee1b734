"""The command ``lafe app``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from lafe.beside import beside
from lafe.cli.arguments import Commands
from lafe.errors import LafeError


def add(commands: Commands) -> None:
    """The command of this file."""
    p = commands.add_parser("app", help="start the app, which opens in the browser")
    p.add_argument("--checkpoints", type=Path, metavar="DIR", help="folder of more checkpoints")
    p.add_argument("--data", type=Path, metavar="DIR", help="folder of data sets, for look-alikes")
    p.add_argument(
        "--examples",
        type=Path,
        metavar="DIR",
        help="folder of photos to try, with a line of licences.txt each",
    )
    p.add_argument("--port", type=int, default=8501, help="(default: %(default)s)")
    p.add_argument(
        "--address",
        default="localhost",
        help="who may come: 0.0.0.0 lets other machines (default: %(default)s)",
    )
    p.add_argument("--no-browser", action="store_true", help="open none, say the address only")
    p.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from streamlit.web.cli import main

    if args.examples is not None:
        from lafe.data.examples import licensed

        licensed(args.examples)  # refused here, where somebody reads it
    for name, folder in (
        ("LAFE_CHECKPOINTS", args.checkpoints),
        ("LAFE_DATA", args.data),
        ("LAFE_EXAMPLES", args.examples),
    ):
        if folder is not None:
            _first_in(name, folder)
    options = {
        "server.address": args.address,
        "server.port": args.port,
        "server.headless": str(args.no_browser).lower(),
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    main(["run", str(script()), *flags], prog_name="streamlit", standalone_mode=False)
    return 0


def script() -> Path:
    """The script that Streamlit runs; its configuration lies beside it, in ``.streamlit``."""
    app = beside("app")
    return (app / "installed" if app.name == "lafe_app" else app.parent) / "streamlit_app.py"


def _first_in(variable: str, folder: Path) -> None:
    """Tell the app of a folder, by the variable that it reads."""
    if not folder.is_dir():
        raise LafeError(f"There is no folder {folder}.")
    before = [os.environ[variable]] if os.environ.get(variable) else []
    several = variable == "LAFE_CHECKPOINTS"
    os.environ[variable] = os.pathsep.join([str(folder.resolve()), *(before if several else [])])
