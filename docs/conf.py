"""The documentation site: ``make docs`` builds it into ``build/docs``."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

import jetlens  # noqa: E402  the library lies beside the pages

project = "jetlens"
author = "The jetlens developers"
version = release = jetlens.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3
copybutton_prompt_text = r"\$ "

html_theme = "furo"
html_title = f"jetlens {version}"
html_show_sphinx = False

# heavy back ends are not needed to read a docstring
autodoc_mock_imports = ["tensorflow", "keras", "jax", "torch"]
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = True
napoleon_use_ivar = True

exclude_patterns = ["_build"]
suppress_warnings = ["myst.xref_missing", "ref.python", "autodoc.mocked_object"]


def _features_page(app: object) -> None:
    """Write the page of shipped features from their table."""
    from jetlens.expressions.feature import shipped

    about = {
        "constituents": "of a constituent: its fields, `jet`, `delta_eta` and `delta_phi` in the stream's alignment",
        "tokens": "of a token: an object, or a sum of objects",
        "event": "of the event",
    }
    lines = [
        "# Features",
        "",
        "What comes along; add your own in the same words under `features.define`.",
        "",
    ]
    for level, features in shipped().items():
        lines += [f"## {level.capitalize()}", "", f"Expressions {about[level]}.", ""]
        lines += ["| name | expression | unit | meaning |", "|---|---|---|---|"]
        for feature in features.values():
            expression = feature.expression.replace("|", "\\|")
            lines.append(f"| `{feature.name}` | `{expression}` | {feature.unit} | {feature.meaning} |")
        lines.append("")
    (Path(__file__).parent / "features.md").write_text("\n".join(lines), encoding="utf-8")


def setup(app: object) -> None:
    """Have the generated page written before the others are read."""
    app.connect("builder-inited", _features_page)  # type: ignore[attr-defined]
