"""The HTML report and the page of results open in a real browser and show every figure."""

from __future__ import annotations

import re
import time

import pytest

from tests.workflow.conftest import Workspace

pytestmark = [pytest.mark.workflow, pytest.mark.browser]


DECODE = """
const image = new Image(), done = arguments[arguments.length - 1];
image.onload = () => done(image.naturalWidth);
image.onerror = () => done(0);
image.src = arguments[0];
"""
BROKEN = "return [...document.images].filter(i => !i.naturalWidth).map(i => i.src.slice(0, 80))"


def severe(browser) -> list[str]:  # type: ignore[no-untyped-def]
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def drawn(finished: Workspace) -> list[str]:
    return sorted(path.name for path in finished.results("figures").rglob("*.png"))


def test_the_report_opens_and_misses_nothing(finished: Workspace, browser) -> None:  # type: ignore[no-untyped-def]
    browser.get(finished.results("report.html").as_uri())
    time.sleep(2)
    assert "Loading" not in browser.title
    text = browser.find_element("tag name", "body").text
    for category in ("Selection", "Classifiers", "Explanation", "Provenance"):
        assert category in text, text
    assert not severe(browser)
    assert not browser.execute_script(BROKEN)
    report = finished.results("report.html").read_text(encoding="utf-8")
    embedded = re.findall(r'"data:image/png;charset=utf8;filename=([^;]+);base64,([A-Za-z0-9+/=]+)"', report)
    assert sorted(name for name, _ in embedded) == drawn(finished)
    browser.get("about:blank")
    for name, content in embedded:
        width = browser.execute_async_script(DECODE, f"data:image/png;base64,{content}")
        assert width > 300, name


def test_the_page_of_results_needs_nothing_else(finished: Workspace, browser) -> None:  # type: ignore[no-untyped-def]
    page = finished.results("index.html")
    assert not re.search(r'(?:src|href)="https?:', page.read_text(encoding="utf-8"))
    for width in (1300, 390):
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        browser.get(page.as_uri())
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        assert browser.execute_script("return document.images.length") == len(drawn(finished))
        assert not browser.execute_script(BROKEN)
        assert not severe(browser)
    for link in browser.find_elements("css selector", "a[href]"):
        target = link.get_dom_attribute("href")
        if not target.startswith(("#", "data:")):
            assert finished.results(target).is_file(), target
    text = browser.find_element("tag name", "body").text
    for found in ("Largest AUC", "1000 (100.0 %)", "boosted trees", "Provenance", "expected limit"):
        assert found in text, text
