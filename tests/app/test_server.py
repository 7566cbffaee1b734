"""Requests as the network brings them, before Streamlit sees them."""

from __future__ import annotations

import asyncio
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.formparsers import MultiPartParser
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from app import server
from app.server import (
    HEAPS,
    MAX_REQUEST_BYTES,
    MAX_SESSION_BYTES,
    TURN_SECONDS,
    Guard,
    settle,
)

MB = 1_000_000


class Behind:
    """What stands behind the guard, as Streamlit does: counts what it keeps."""

    def __init__(self) -> None:
        self.kept: dict[str, int] = {}
        self.status = 204

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.status < 400 and scope["method"] == "PUT":
            said = dict(scope["headers"]).get(b"content-length", str(MAX_REQUEST_BYTES).encode())
            self.kept[scope["path"]] = int(said)
        elif self.status < 400 and scope["method"] == "DELETE":
            self.kept.pop(scope["path"], None)
        await PlainTextResponse("", self.status)(scope, receive, send)


def ask(guard: Guard, method: str, path: str, length: int | None = None) -> int:
    """Send a request without a body; returns the status."""
    headers = [] if length is None else [(b"content-length", str(length).encode())]
    statuses: list[int] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(int(str(message["status"])))

    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    asyncio.run(guard(scope, receive, send))  # type: ignore[arg-type]
    [status] = statuses
    return status


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
def guard(behind: Behind) -> Guard:
    return Guard(behind)


@pytest.mark.parametrize("base", ["", "/below/a/path"])
@pytest.mark.parametrize("length", [31 * MB, None])
def test_one_session_cannot_have_the_server_keep_any_number_of_files(
    guard: Guard, behind: Behind, base: str, length: int | None
) -> None:
    """40 files of 31 MB took 1.2 GB."""
    put = f"{base}/_stcore/upload_file/mine/"
    statuses = [ask(guard, "PUT", f"{put}{i}", length) for i in range(40)]
    assert set(statuses) == {204, 413}
    assert statuses == sorted(statuses)
    assert MAX_SESSION_BYTES - 40 * MB < sum(behind.kept.values()) <= MAX_SESSION_BYTES
    assert ask(guard, "PUT", f"{base}/_stcore/upload_file/another/0", length) == 204
    assert ask(guard, "DELETE", f"{put}0") == 204  # what is gone counts no more
    assert ask(guard, "PUT", f"{put}new", length) == 204
    assert sum(v for k, v in behind.kept.items() if "mine" in k) <= MAX_SESSION_BYTES


def test_what_streamlit_refuses_counts_nothing(guard: Guard, behind: Behind) -> None:
    put = "/_stcore/upload_file/mine/"
    behind.status = 413
    assert {ask(guard, "PUT", f"{put}{i}", 31 * MB) for i in range(40)} == {413}
    behind.status = 204
    assert ask(guard, "PUT", f"{put}0", 31 * MB) == 204
    behind.status = 403
    assert ask(guard, "DELETE", f"{put}0") == 403  # it is there still
    assert guard.sent["mine"] == {"0": 31 * MB}


def test_a_file_that_comes_again_counts_once(guard: Guard, behind: Behind) -> None:
    put = "/_stcore/upload_file/mine/0"
    assert {ask(guard, "PUT", put, 31 * MB) for _ in range(40)} == {204}
    assert guard.sent["mine"] == {"0": 31 * MB}


def test_sessions_are_not_remembered_for_ever(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_MAX_SESSIONS", 3)
    for i in range(9):
        ask(guard, "PUT", f"/_stcore/upload_file/{i}/0", MB)
    assert list(guard.sent) == ["6", "7", "8"]


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/metrics/", "/a/_stcore/metrics"])
def test_the_page_of_metrics_is_closed(guard: Guard, path: str) -> None:
    assert ask(guard, "GET", path) == 404
    assert ask(guard, "GET", "/_stcore/health") == 204


@pytest.fixture(autouse=True)
def turns() -> Iterator[None]:
    """The interpreter's own turns, for the tests that come after."""
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


HEAPS_OF_THREADS = """
import ctypes, sys, threading
libc = ctypes.CDLL("libc.so.6")
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
if sys.argv[1] == "settled":
    from app.server import settle
    settle()
together = threading.Barrier(12)
def click():
    libc.malloc(1000)
    together.wait()
threads = [threading.Thread(target=click) for _ in range(12)]
[t.start() for t in threads], [t.join() for t in threads]
file = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="heaps of threads are glibc's")
def test_threads_share_heaps_and_take_short_turns(tmp_path: Path) -> None:
    """As glibc itself counts them, with twelve threads at once."""
    found = {}
    for how in ("settled", "as it comes"):
        out = tmp_path / how
        command = [sys.executable, "-c", HEAPS_OF_THREADS, how, str(out)]
        subprocess.run(command, check=True, cwd=Path(server.__file__).parents[1])
        found[how] = out.read_text().count("<heap nr=")
    assert found["settled"] <= HEAPS < found["as it comes"]
    settle()
    assert sys.getswitchinterval() == pytest.approx(TURN_SECONDS)


def test_a_photo_that_arrives_is_never_on_the_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file of 30 MB, parsed as Streamlit parses it, where no temporary file can be made."""
    settle()
    body = b"--x\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n"
    body += bytes(30 * MB) + b"\r\n--x--\r\n"

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    scope = {"type": "http", "method": "PUT", "headers": headers}

    async def parse() -> None:
        async with Request(scope, receive).form() as form:  # type: ignore[arg-type]
            file = form["f"]
            assert not isinstance(file, str)
            assert not file.file._rolled  # type: ignore[attr-defined]
            assert len(await file.read()) == 30 * MB

    asyncio.run(parse())
    monkeypatch.setattr(MultiPartParser, "spool_max_size", MB)
    with pytest.raises(AssertionError):  # else it would be
        asyncio.run(parse())
