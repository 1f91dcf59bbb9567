"""The bytes of a request, with a limit of size and time; what they say is judged in ``requests.py``."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

from starlette.requests import Request

from labeltask_gateway.errors import BodyTooLarge, BodyTooSlow, TooBusy, UnsupportedMediaType

LARGE_BYTES = 256 * 1024
"""A body above it has rules by the ten thousand: as objects they take twenty times as much memory."""
MAX_LARGE_AT_ONCE = 2
"""Two of the largest fit into the pod's memory; more wait, and are sent back before they time out."""
TURN_SHARE = 0.5
"""Part of the time for a body that it may wait for its turn."""


def body_reader(max_bytes: int, timeout_seconds: float) -> Callable[[Request], AsyncIterator[bytes]]:
    """Return the dependency that reads a JSON body; it runs on the event loop, so a slow caller holds no thread.

    A large body keeps its place until the request is answered.
    """
    large = asyncio.Semaphore(MAX_LARGE_AT_ONCE)

    async def read_body(request: Request) -> AsyncIterator[bytes]:
        _check_content_type(request.headers.get("content-type", ""))
        if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise UnsupportedMediaType
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > max_bytes:
            raise BodyTooLarge(max_bytes)
        async with AsyncExitStack() as held:
            received = bytearray()
            try:
                async with asyncio.timeout(timeout_seconds):
                    async for chunk in request.stream():
                        if len(received) <= LARGE_BYTES < len(received) + len(chunk):
                            await _take_place(large, timeout_seconds * TURN_SHARE)
                            held.callback(large.release)
                        received += chunk
                        if len(received) > max_bytes:
                            raise BodyTooLarge(max_bytes)
            except TimeoutError:
                raise BodyTooSlow(timeout_seconds) from None
            yield bytes(received)

    return read_body


async def _take_place(places: asyncio.Semaphore, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await places.acquire()
    except TimeoutError:
        raise TooBusy("requests with large bodies") from None


def _check_content_type(header: str) -> None:
    media_type, *parameters = (part.strip().lower() for part in header.split(";"))
    charsets = [value.strip('" ') for name, _, value in (p.partition("=") for p in parameters) if name == "charset"]
    if media_type != "application/json" or any(charset not in ("utf-8", "utf8") for charset in charsets):
        raise UnsupportedMediaType
