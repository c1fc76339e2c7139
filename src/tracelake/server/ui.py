"""The UI's files, and its index page for every address that is not the API's."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from tracelake.model.permissions import Permission, requires

_CSP: Final = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": _CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}
_NOT_PAGES: Final = ("api/", "ajax-api/", "v1/", "serving-endpoints/")
_NOT_BUILT: Final = """<!doctype html><html lang="en"><title>Tracelake</title>
<p>The server runs, but its UI was not built. In a checkout run <code>make install</code>;
the API is described in <a href="/openapi.json">/openapi.json</a>.</p></html>"""


@requires(Permission.PUBLIC)
class Assets(StaticFiles):
    """Hashed files: what has a name never changes, so browsers may keep it."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code == 200:
            response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


def router(folder: Path) -> APIRouter:
    """The fallback route. Include it last: it answers whatever no other route took."""
    routes = APIRouter()
    index = folder / "index.html"

    @routes.get("/{path:path}", include_in_schema=False)
    @requires(Permission.PUBLIC)
    def page(path: str) -> Response:
        if path.startswith(_NOT_PAGES):
            raise HTTPException(404)
        file = (folder / path).resolve()
        if path and file.is_relative_to(folder.resolve()) and file.is_file():
            return FileResponse(file, headers=_HEADERS)
        if not index.is_file():
            return HTMLResponse(_NOT_BUILT, headers=_HEADERS)
        return FileResponse(index, headers=_HEADERS | {"cache-control": "no-cache"})

    return routes
