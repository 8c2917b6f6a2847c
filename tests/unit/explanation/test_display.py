"""The event display is used as a reader would, in a real browser."""

import numpy as np
import pytest

from jetlens.explanation.display import write_display
from jetlens.explanation.relevance import Relevance, assemble, layout, read_relevance, write_relevance

from .conftest import toy_events

STREAMS = ["jet1", "jet2", "kinematics"]


@pytest.fixture
def explained(tmp_path):
    """Files of three methods, of the layout that the stage writes; what they say is random."""
    events, rng = toy_events(), np.random.default_rng(0)
    about, number = layout(events, STREAMS), len(events)
    shown = np.arange(number)

    def scores(*shape):
        raw = rng.random(shape)
        return (raw / raw.sum(axis=-1, keepdims=True)).astype(np.float16)

    extra = {
        "matrix_names": np.array(["jet1_self_attention_0", "cross_attention_0"]),
        "matrix_query": np.array(["jet1", "kinematics"]),
        "matrix_keys": np.array(["jet1", "jet1+jet2"]),
        "display_index": shown,
        "display_jet1_self_attention_0": scores(number, 2, 7, 7),
        "display_cross_attention_0": scores(number, 2, 3, 14),
    }
    for name, maps, own in (
        ("attention", ("mean", "rollout"), extra),
        ("leave_one_out", ("logit",), {}),
        ("relevance", ("towards signal", "towards background"), {}),
    ):
        value = rng.normal(size=(len(maps), *about["mask"].shape))
        signed = name == "leave_one_out"
        value = np.where(about["mask"], value if signed else np.abs(value), 0)
        answer = Relevance(maps, value, rng.normal(size=(len(maps), *events.event.shape)), extra=own)
        logits = rng.normal(size=(1, number))
        write_relevance(tmp_path / f"{name}.npz", assemble(name, signed, [answer], logits, [1], about))
    return tmp_path


@pytest.mark.browser
def test_event_display_in_a_browser(explained, tmp_path, browser):
    """Each selector changes what is drawn, to what the files say."""
    from selenium.webdriver.support.ui import Select

    page = tmp_path / "event_display.html"
    write_display(sorted(explained.glob("*.npz")), page, variant="toy", events=2)
    assert page.stat().st_size < 6e6
    browser.get(page.as_uri())
    # a window that is not in front gets no focus events otherwise
    browser.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})

    def drawn():
        dots = "[...document.querySelectorAll('circle.token')]"
        script = f"return {dots}.map(c => c.getAttribute('fill') + c.getAttribute('cx'))"
        bars = "return document.getElementById('bars').textContent"
        pixels = "return document.getElementById('space').toDataURL()"
        return [browser.execute_script(x) for x in (script, bars, pixels)]

    def chosen(name, value):
        before = drawn()
        Select(browser.find_element("id", name)).select_by_value(value)
        after = drawn()
        assert before != after, (name, value)
        return after

    for method in ("relevance", "leave_one_out"):
        colours, _, _ = chosen("method", method)
    arrays = read_relevance(explained / "leave_one_out.npz")
    first = int(np.flatnonzero(arrays["class"] == 1)[0])
    placed = arrays["mask"][first] & np.isfinite(arrays["eta"][first])
    assert len(colours) == placed.sum()
    browser.execute_script("document.querySelector('circle.token').focus()")
    assert "pT" in browser.find_element("id", "tip").text
    chosen("event", "1")
    chosen("class", "background")
    assert "background event" in browser.find_element("id", "what").text
    chosen("method", "attention by head")
    for name, value in (("layer", "1"), ("head", "1"), ("query", "1")):
        chosen(name, value)
    for width in (1300, 390):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert not browser.execute_script("return performance.getEntriesByType('resource').length")
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
