"""Between the network and Streamlit: bounds that it has no option for.

Streamlit keeps the files that a session sent until the session ends, whether or not anybody looked
at them, and writes those over 1 MB to a temporary file while they arrive.
"""

from __future__ import annotations

import ctypes
import sys
from collections import OrderedDict
from contextlib import suppress
from http import HTTPStatus

from starlette.formparsers import MultiPartParser
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lafe.data.photo import MAX_BYTES

MAX_SESSION_BYTES = 400_000_000  # a dozen of the largest photos, or a hundred of a phone's
MAX_REQUEST_BYTES = MAX_BYTES + 2_000_000  # Streamlit refuses larger ones
TURN_SECONDS = 0.0005
HEAPS = 2
_MAX_SESSIONS = 10_000  # that are remembered
_M_ARENA_MAX = -8  # malloc.h

_UPLOAD = "/_stcore/upload_file/"
_METRICS = "/_stcore/metrics"


def settle() -> None:
    """Settings of the process, made once, before the first visitor."""
    # Photos are never on the disk, where a temporary file could outlive a crash.
    MultiPartParser.spool_max_size = MAX_REQUEST_BYTES
    # One thread draws a page, another sends its pieces and waits for its turn before each: at the
    # usual 5 ms the answer, which comes first, arrived with the last of them.
    sys.setswitchinterval(TURN_SECONDS)
    # Each click has a thread of its own, and glibc gives it a heap; what one frees no other uses.
    with suppress(OSError, AttributeError):  # no glibc
        ctypes.CDLL("libc.so.6").mallopt(_M_ARENA_MAX, HEAPS)


def middleware() -> list[Middleware]:
    """Middleware that ``st.App`` passes every request through."""
    return [Middleware(Guard)]


class Guard:
    """Closes the page of metrics, and bounds what one session can have the server keep."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.sent: OrderedDict[str, dict[str, int]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif path.rstrip("/").endswith(_METRICS):
            await _refusal(HTTPStatus.NOT_FOUND, "Not found.")(scope, receive, send)
        elif _UPLOAD in path and scope["method"] in ("PUT", "DELETE"):
            await self._file(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _file(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A file that comes or goes; one that Streamlit refuses counts nothing."""
        session, _, file = scope["path"].partition(_UPLOAD)[2].partition("/")
        files = self._files_of(session)
        before = files.pop(file, 0)
        size = _length(scope) if scope["method"] == "PUT" else 0
        if size and sum(files.values()) + size > MAX_SESSION_BYTES:
            files[file] = before
            said = "This is more than one visitor may send: reload the page to go on."
            await _refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, said)(scope, receive, send)
            return
        files[file] = size or before
        done = False

        async def noting(message: Message) -> None:
            nonlocal done
            if message["type"] == "http.response.start":
                done = message["status"] < HTTPStatus.BAD_REQUEST
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            kept = size if done else before
            files.pop(file, None)
            if kept:
                files[file] = kept

    def _files_of(self, session: str) -> dict[str, int]:
        """Bytes of each file of a session; the sessions that sent something last are remembered."""
        files = self.sent.setdefault(session, {})
        self.sent.move_to_end(session)
        while len(self.sent) > _MAX_SESSIONS:
            self.sent.popitem(last=False)
        return files


def _length(scope: Scope) -> int:
    """Bytes that a request says it has, to which it is held; else the most there can be."""
    said = dict(scope["headers"]).get(b"content-length", b"")
    return int(said) if said.isdigit() else MAX_REQUEST_BYTES


def _refusal(status: HTTPStatus, said: str) -> PlainTextResponse:
    return PlainTextResponse(said, status, {"connection": "close"})
