"""The OpenAPI document for programs, and /docs for people. All of it comes from the package, nothing from elsewhere."""

from collections.abc import Sequence
from importlib.resources import files

from fastapi import APIRouter, Request
from fastapi.params import Depends
from fastapi.responses import HTMLResponse, JSONResponse, Response

_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'"
_TYPES = {"docs.js": "text/javascript; charset=utf-8", "docs.css": "text/css; charset=utf-8"}


def build_docs_router(guards: Sequence[Depends]) -> APIRouter:
    """Return the routes of the document, the page and its two files; ``guards`` ask who calls."""
    router = APIRouter(include_in_schema=False, dependencies=guards)
    folder = files("labeltask_gateway") / "static"
    page = (folder / "docs.html").read_text(encoding="utf-8")
    assets = {name: (folder / name).read_bytes() for name in _TYPES}

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        """Show the page."""
        return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"})

    @router.get("/openapi.json")
    async def document(request: Request) -> JSONResponse:
        """Show the document."""
        return JSONResponse(request.app.openapi())

    for name, content in assets.items():
        _add_file(router, name, content)
    return router


def _add_file(router: APIRouter, name: str, content: bytes) -> None:
    @router.get(f"/docs/{name}")
    async def asset() -> Response:
        return Response(content, media_type=_TYPES[name], headers={"X-Content-Type-Options": "nosniff"})
