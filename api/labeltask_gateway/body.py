"""The bytes of a request, with a limit of size and time; what they say is judged in ``requests.py``."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request

from labeltask_gateway.errors import BodyTooLarge, BodyTooSlow, UnsupportedMediaType


def body_reader(max_bytes: int, timeout_seconds: float) -> Callable[[Request], Awaitable[bytes]]:
    """Return the dependency that reads a JSON body; it runs on the event loop, so a slow caller holds no thread."""

    async def read_body(request: Request) -> bytes:
        _check_content_type(request.headers.get("content-type", ""))
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > max_bytes:
            raise BodyTooLarge(max_bytes)
        received = bytearray()
        try:
            async with asyncio.timeout(timeout_seconds):
                async for chunk in request.stream():
                    received += chunk
                    if len(received) > max_bytes:
                        raise BodyTooLarge(max_bytes)
        except TimeoutError:
            raise BodyTooSlow(timeout_seconds) from None
        return bytes(received)

    return read_body


def _check_content_type(header: str) -> None:
    media_type, *parameters = (part.strip().lower() for part in header.split(";"))
    charsets = [value.strip('" ') for name, _, value in (p.partition("=") for p in parameters) if name == "charset"]
    if media_type != "application/json" or any(charset not in ("utf-8", "utf8") for charset in charsets):
        raise UnsupportedMediaType
