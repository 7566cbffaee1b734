"""The end of a command: errors that people can mend become a sentence, everything an exit status.

0: done.  1: some photos could not be read.  2: something given cannot be used.  128 + the signal's
number: stopped (130 by Ctrl-C, 143 by SIGTERM, 141 since nobody reads the output any more).
Anything else is a fault of the program, and its traceback is shown.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from lafe.cli import missing
from lafe.errors import LafeError

BAD_INPUT = 2
PIPE_CLOSED = 128 + 13  # SIGPIPE, which Windows lacks


def status(command: Callable[[], int]) -> int:
    """Run a command; returns its exit status, or the one of the error that ended it."""
    _tolerate_odd_names()
    try:
        with _stopped_by_signals():
            result = command()
            sys.stdout.flush()  # a closed pipe is noticed here, not at the interpreter's end
            return result
    except BrokenPipeError:
        _forget_stdout()
        return PIPE_CLOSED
    except LafeError as error:
        said = str(error)
    except (OSError, MemoryError, RuntimeError, ImportError) as error:
        reason = _of_the_machine(error)
        if reason is None and isinstance(error, ImportError):
            reason = missing.advice(error)
        if reason is None:
            raise
        said = reason
    print(f"lafe: {said}", file=sys.stderr)
    return BAD_INPUT


def _of_the_machine(error: Exception) -> str | None:
    """A sentence about what the system refused; None for an error of the program.

    Any line of code may meet a full disk or a limit of the shell (``ulimit``), so that these cannot
    be told where they arise.
    """
    if isinstance(error, OSError):
        if error.strerror is None:
            return None
        where = f"{error.filename}: " if error.filename is not None else ""
        return f"{where}{error.strerror}."
    said = str(error)
    memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    # PyTorch has no class of its own for the CPU's, the loader of libraries none at all.
    if memory or "can't allocate memory" in said or "failed to map segment" in said:
        return "There is not enough memory: close other programs, or raise the limit (ulimit -v)."
    if "can't start new thread" in said:
        return "No more threads can be started: raise the limit (ulimit -u)."
    return None


def _tolerate_odd_names() -> None:
    """Print what a terminal cannot show as escapes: one odd name must not end a batch."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _forget_stdout() -> None:
    """Let the interpreter's last flush go nowhere, as Python's documentation advises."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Leave by SystemExit on Ctrl-C and SIGTERM, so that files are closed and the status tells.

    Lightning turns the one into status 1 and the other into 0, unless a handler is there already.
    """
    replaced: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
        for number, handler in usual.items():
            if signal.getsignal(number) == handler:  # else ignored (nohup), or somebody else's
                replaced[number] = signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)


def _stop(number: int, _: FrameType | None) -> NoReturn:
    if number == signal.SIGTERM:  # `timeout` sends it twice: files are closed all the same
        signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)
