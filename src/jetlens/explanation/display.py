"""The event display: single events of a variant with every method's answer, as one page that needs nothing else.

The page is ``display.html`` beside this module with the events put in as JSON; numbers of many entries are bytes in
base64. Attention is that of the first training, all else the mean over trainings.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.explanation.attention import short_name
from jetlens.explanation.frame import soft_drop_subjets
from jetlens.explanation.relevance import Arrays, read_relevance
from jetlens.files import write_text

TEMPLATE = Path(__file__).with_name("display.html")
BYTES = 3_500_000
"""Most bytes of attention scores in a page, before base64: where heads are too many, only their mean is kept."""


def write_display(methods: Sequence[Path], output: Path, *, variant: str, events: int) -> None:
    """Write the event display of a variant.

    Args:
        methods: files ``<method>.npz`` of the same events.
        output: the page.
        variant: its name.
        events: most events per class; the first ones, not chosen by hand.

    Raises:
        FileError: if a file cannot be read.
    """
    files = {path.stem: read_relevance(path) for path in methods}
    text = json.dumps(content_of(files, variant, events), separators=(",", ":"), allow_nan=False)
    page = TEMPLATE.read_text(encoding="utf-8")
    write_text(output, page.replace("/*EVENTS*/null", text.replace("</", "<\\/")))


def content_of(files: Mapping[str, Arrays], variant: str, events: int) -> dict[str, Any]:
    """Return what the page shows, as plain data."""
    about = next(iter(files.values()))
    chosen = np.concatenate([np.flatnonzero(about["class"] == truth)[:events] for truth in (1, 0)])
    return {
        "variant": variant,
        "streams": about["streams"].tolist(),
        "kinds": about["kinds"].tolist(),
        "tokens": [short_name(str(token)) for token in about["tokens"]],
        "slot_stream": about["slot_stream"].tolist(),
        "event_features": about["event_features"].tolist(),
        "events": [_event(about, n) for n in chosen],
        "methods": [_method(name, arrays, chosen) for name, arrays in files.items()],
        "attention": _attention(files["attention"], chosen) if "attention" in files else None,
    }


def _event(about: Arrays, n: int) -> dict[str, Any]:
    """Return one event: its real tokens, columns by name, and the subjets of its jets."""
    slots = np.flatnonzero(about["mask"][n])
    jets = []
    for j in np.flatnonzero(about["kinds"] == "constituents"):
        own = (about["slot_stream"] == j) & about["mask"][n]
        axis = [_number(about[name][n, j]) for name in ("axis_eta", "axis_phi")]
        entry: dict[str, Any] = {"stream": int(j), "axis": None if None in axis else axis, "subjets": []}
        place = [about[name][n : n + 1, own].astype(np.float64) for name in ("eta", "phi", "log_pt")]
        if own.sum() > 1 and all(np.isfinite(x).all() for x in place):
            eta, phi, log_pt = place
            found = soft_drop_subjets(eta, phi, np.exp(log_pt), np.ones(eta.shape, dtype=bool))
            columns = (found.eta[0], found.phi[0], found.pt[0])
            if np.isfinite(found.distance[0]):
                entry["subjets"] = [[round(float(x), 4) for x in row] for row in zip(*columns, strict=True)]
        jets.append(entry)
    return {
        "number": int(about["event_number"][n]),
        "signal": bool(about["class"][n]),
        "logit": round(float(about["logit"][:, n].mean()), 3),
        "slots": slots.tolist(),
        "eta": [_number(x) for x in about["eta"][n, slots]],
        "phi": [_number(x) for x in about["phi"][n, slots]],
        "pt": [_number(np.exp(x)) for x in about["log_pt"][n, slots]],
        "type": about["type"][n, slots].tolist(),
        "d0": [_number(x) for x in about["d0"][n, slots]],
        "jets": jets,
    }


def _method(name: str, arrays: Arrays, chosen: NDArray[np.int64]) -> dict[str, Any]:
    """Return a method's maps, values per event, real token and event feature; signs as in its file."""
    value, event_value = (arrays[k].mean(axis=0, dtype=np.float64) for k in ("value", "event_value"))
    return {
        "name": name,
        "signed": bool(arrays["signed"]),
        "maps": arrays["maps"].tolist(),
        "value": [
            [[float(f"{x:.4g}") for x in value[m, n, arrays["mask"][n]]] for n in chosen]
            for m in range(len(value))
        ],
        "event_value": [
            [[float(f"{x:.4g}") for x in event_value[m, n]] for n in chosen] for m in range(len(value))
        ],
    }


def _attention(arrays: Arrays, chosen: NDArray[np.int64]) -> dict[str, Any]:
    """Return the scores of the events shown, layer by layer, as bytes: 255 (score)^½, (E, H, Tq, Tk)."""
    shown = [n for n in chosen if n in set(arrays["display_index"].tolist())]
    rows = np.searchsorted(arrays["display_index"], shown)
    names = [str(name) for name in arrays["matrix_names"]]
    scores = {name: arrays[f"display_{name}"][rows] for name in names}
    mean_only = sum(x.size for x in scores.values()) > BYTES
    layers = []
    for name, query, keys in zip(names, arrays["matrix_query"], arrays["matrix_keys"], strict=True):
        own = scores[name].astype(np.float32)
        own = own.mean(axis=1, keepdims=True) if mean_only else own
        layers.append(
            {
                "name": name,
                "query": str(query).split("+"),
                "keys": str(keys).split("+"),
                "heads": own.shape[1],
                "mean_only": mean_only,
                "shape": list(own.shape[2:]),
                "scores": base64.b64encode(np.round(255 * np.sqrt(own)).astype(np.uint8).tobytes()).decode(),
            }
        )
    return {"events": [chosen.tolist().index(n) for n in shown], "layers": layers}


def _number(value: Any) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
