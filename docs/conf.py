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
