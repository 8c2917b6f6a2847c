"""One cutflow per sample from those of its parts, so that a step on one part need not read all the others."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jetlens.errors import FileError
from jetlens.files import write_json
from jetlens.skim.cutflow import check_selected, read_cutflow

SUMS = ("events", "sum_weights", "sum_weights_squared")


def merge_cutflows(parts: Sequence[str | os.PathLike[str]], output: Path) -> None:
    """Add up the parts of one sample and write the sum in the format of a part's cutflow.

    Args:
        parts: cutflow files of the parts.
        output: the file to write.

    Raises:
        FileError: if a file is no cutflow, or the parts are of several samples or have different cuts.
        NoEventsError: if no event is left at the end, naming the cut that removed the last one.
    """
    flows = [read_cutflow(part) for part in parts]
    names = [[cut["name"] for cut in flow["cuts"]] for flow in flows]
    if any(other != names[0] for other in names) or len({flow["sample"] for flow in flows}) > 1:
        raise FileError(f"{parts[0]}: and the other parts differ in sample or cuts; skim them again")
    cuts: list[dict[str, Any]] = [
        {"name": name, **{key: sum(flow["cuts"][number][key] for flow in flows) for key in SUMS}}
        for number, name in enumerate(names[0])
    ]
    references = {key: sum(flow["constituents"][key] for flow in flows) for key in flows[0]["constituents"]}
    skipped = [f"{flow['source']}: {flow['skipped']}" for flow in flows if flow.get("skipped")]
    check_selected(flows[0]["sample"], cuts)
    write_json(
        output,
        {
            "sample": flows[0]["sample"],
            "part": "all",
            "source": f"{len(flows)} files",
            "parts": len(flows),
            "cuts": cuts,
            "constituents": references,
            "skipped": "; ".join(skipped) or None,
        },
    )
