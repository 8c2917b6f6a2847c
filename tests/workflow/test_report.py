"""The HTML report opens in a real browser and shows every figure."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.workflow.conftest import Workspace

pytestmark = [pytest.mark.workflow, pytest.mark.browser]


DECODE = """
const image = new Image(), done = arguments[arguments.length - 1];
image.onload = () => done(image.naturalWidth);
image.onerror = () => done(0);
image.src = arguments[0];
"""


def test_the_report_opens_and_misses_nothing(finished: Workspace, browser, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    browser.get(finished.results("report.html").as_uri())
    time.sleep(2)
    assert "Loading" not in browser.title
    text = browser.find_element("tag name", "body").text
    for category in ("Selection", "Classifiers", "Explanation", "Provenance"):
        assert category in text, text
    severe = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not severe
    broken = browser.execute_script(
        "return [...document.images].filter(i => !i.naturalWidth).map(i => i.src)"
    )
    assert not broken


def test_every_figure_is_in_the_report(finished: Workspace, browser) -> None:  # type: ignore[no-untyped-def]
    """Each PNG is embedded, and the browser decodes it."""
    report = finished.results("report.html").read_text(encoding="utf-8")
    drawn = [path.name for path in finished.results("figures").rglob("*.png")]
    embedded = re.findall(r'"data:image/png;charset=utf8;filename=([^;]+);base64,([A-Za-z0-9+/=]+)"', report)
    assert sorted(name for name, _ in embedded) == sorted(drawn)
    browser.get("about:blank")
    for name, content in embedded:
        width = browser.execute_async_script(DECODE, f"data:image/png;base64,{content}")
        assert width > 300, name
