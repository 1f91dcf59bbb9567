"""/docs works without the internet: everything it loads is served by the gateway itself."""

import re

import pytest

from labeltask_testing.gateway_fakes import Gateway


def test_the_page_loads_only_what_the_gateway_serves() -> None:
    gateway = Gateway()
    page = gateway.get("/docs")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert loaded == ["docs/docs.css", "openapi.json", "docs/docs.js"]
    assert [gateway.get(f"/{path}").status_code for path in loaded] == [200, 200, 200]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(("path", "kind"), [("/docs/docs.js", "text/javascript"), ("/docs/docs.css", "text/css")])
def test_its_files_name_no_other_host_and_are_what_they_say(path: str, kind: str) -> None:
    answer = Gateway().get(path)
    assert answer.headers["Content-Type"] == f"{kind}; charset=utf-8"
    assert "://" not in answer.text
    assert "innerHTML" not in answer.text
