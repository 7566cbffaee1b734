"""What ends a command, as a sentence and an exit status."""

import errno
import io
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from lafe.cli.boundary import status
from lafe.errors import LafeError


def raising(error: BaseException) -> int:
    raise error


def test_a_command_s_own_status_is_kept() -> None:
    assert [status(lambda n=n: n) for n in (0, 1)] == [0, 1]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (LafeError("Choose another."), "lafe: Choose another.\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "out.csv"),
            "lafe: out.csv: No space left on device.\n",
        ),
        (OSError(errno.EMFILE, "Too many open files"), "lafe: Too many open files.\n"),
        (MemoryError(), "lafe: There is not enough memory: "),
        (torch.OutOfMemoryError("CUDA out of memory."), "lafe: There is not enough memory: "),
        (RuntimeError("can't start new thread"), "lafe: No more threads can be started: "),
        (
            ImportError("libtorch_cpu.so: failed to map segment from shared object"),
            "lafe: There is not enough memory: ",
        ),
    ],
)
def test_what_people_can_mend_is_one_sentence(
    error: Exception, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(lambda: raising(error)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(said)
    assert err.count("\n") == 1


def test_the_cpu_s_memory_is_told_from_other_faults(capsys: pytest.CaptureFixture[str]) -> None:
    assert status(lambda: len(torch.empty(2**60, dtype=torch.uint8))) == 2
    assert "not enough memory" in capsys.readouterr().err


@pytest.mark.parametrize(
    "fault", [ValueError("x"), KeyError("x"), RuntimeError("x"), ImportError("no torch"), OSError()]
)
def test_a_fault_of_the_program_keeps_its_traceback(fault: Exception) -> None:
    with pytest.raises(type(fault)):
        status(lambda: raising(fault))


def test_a_limit_of_the_shell_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A real one, of files in one process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        assert status(lambda: (tmp_path / "out").write_text("x")) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert capsys.readouterr().err == f"lafe: {tmp_path / 'out'}: Too many open files.\n"


def test_a_second_sigterm_does_not_cut_the_closing_of_files() -> None:
    """As ``timeout`` sends it: to the process, then to its group."""
    closed = []

    def command() -> int:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
            return 0
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
            closed.append(True)

    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with pytest.raises(SystemExit) as left:
            status(command)
        assert left.value.code == 128 + signal.SIGTERM
        assert closed
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_leave_files_closed_and_a_status(number: signal.Signals) -> None:
    closed = []

    def command() -> int:
        try:
            os.kill(os.getpid(), number)
            time.sleep(10)  # cut short by the signal
            return 0
        finally:
            closed.append(True)

    # A shell's background job ignores Ctrl-C, and so would this test.
    usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    before = signal.signal(number, usual)
    try:
        with pytest.raises(SystemExit) as left:
            status(command)
        assert left.value.code == 128 + number
        assert closed
        assert signal.getsignal(number) == usual
    finally:
        signal.signal(number, before)


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in the background of a script
    try:
        assert status(lambda: os.kill(os.getpid(), signal.SIGINT) or 0) == 0
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_a_name_that_the_terminal_cannot_show_is_escaped(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", terminal)
    file = os.fsdecode(b"caf\xe9.jpg")  # Latin-1, on a file system of UTF-8

    def command() -> int:
        print(f"{file}: 翠鳥")
        return 0

    assert status(command) == 0
    said = terminal.buffer.getvalue().decode(encoding)
    name = "翠鳥" if encoding == "utf-8" else "\\u7fe0\\u9ce5"
    assert said == f"caf\\udce9.jpg: {name}\n"


@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_closed_pipe_ends_quietly(lines: int) -> None:
    """As ``| head`` closes it: while a command prints, or before what it printed is flushed."""
    source = (
        "import sys; from lafe.cli.boundary import status\n"
        f"sys.exit(status(lambda: print('a row\\n' * {lines}) or 0))"
    )
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", source], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")
