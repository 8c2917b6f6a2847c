"""What the page of results shows of an analysis, as plain data: its figures with captions, its samples, its names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jetlens.config import Config
from jetlens.config.fitted import alternatives
from jetlens.config.samples import Sample
from jetlens.config.slices import Context
from jetlens.figures.palette import variant_looks
from jetlens.figures.table import FIGURES

INDICES = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def without_mathtext(label: str) -> str:
    """Return a label as a page shows it: ``$d_0$`` is d₀."""

    def plain(formula: re.Match[str]) -> str:
        return re.sub(r"_(\d)", lambda index: index[1].translate(INDICES), formula[1])

    return re.sub(r"\$([^$]*)\$", plain, label)


def contents(config: Config, samples: Mapping[str, Sample]) -> dict[str, Any]:
    """Return the argument ``shown`` of :func:`jetlens.report.write_page`."""
    others = alternatives(config)
    looks = variant_looks(config.figures, list(config.models))
    labels = {name: without_mathtext(look["label"]) for name, look in looks.items()}
    figures = [
        {
            "name": entry.name.format(**wildcards),
            "category": entry.category,
            "content": entry.content.format(**_readable(wildcards, labels)),
            "caption": entry.text(Context(config, samples, wildcards)),
        }
        for entry in FIGURES
        for wildcards in entry.jobs(config, samples)
    ]
    return {
        "figures": figures,
        "samples": [_sample(sample, sample.name in others) for sample in samples.values()],
        "variants": labels,
    }


def _readable(wildcards: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    return {key: labels.get(text, text.replace("_", " ")) for key, text in wildcards.items()}


def _sample(sample: Sample, varied: bool) -> dict[str, Any]:
    return {
        "sample": sample.name,
        "process": sample.process,
        "role": f"{sample.role}, in variations alone" if varied else sample.role,
        "files": len(sample.files),
        "cross section [pb]": sample.cross_section_pb,
        "mass [GeV]": sample.mass_gev,
    }
