"""/docs: the OpenAPI document for people. All of it comes from the package, nothing from elsewhere."""

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'"
_TYPES = {"docs.js": "text/javascript; charset=utf-8", "docs.css": "text/css; charset=utf-8"}


def build_docs_router() -> APIRouter:
    """Return the routes of the page and its two files."""
    router = APIRouter(include_in_schema=False)
    folder = files("labeltask_gateway") / "static"
    page = (folder / "docs.html").read_text(encoding="utf-8")
    assets = {name: (folder / name).read_bytes() for name in _TYPES}

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        """Show the page."""
        return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"})

    for name, content in assets.items():
        _add_file(router, name, content)
    return router


def _add_file(router: APIRouter, name: str, content: bytes) -> None:
    @router.get(f"/docs/{name}")
    async def asset() -> Response:
        return Response(content, media_type=_TYPES[name], headers={"X-Content-Type-Options": "nosniff"})
