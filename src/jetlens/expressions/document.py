"""The page of all shipped features, from their table: ``python -m jetlens.expressions.document > docs/features.md``."""

from __future__ import annotations

from jetlens.expressions.feature import LEVELS, Feature, Symmetry, shipped

_TITLES = {
    "constituents": "Of one constituent (streams of kind `constituents`)",
    "tokens": "Of one token: an object, or a sum of objects (streams of kinds `kinematics` and `objects`)",
    "event": "Of the event (`features.event`)",
}
_HEAD = "| name | expression | unit | what it is | fill | symmetry |\n|---|---|---|---|---|---|"
_TEXT = """# Features

Made by `python -m jetlens.expressions.document` from `src/jetlens/expressions/features.yaml`. Each is an expression
of [the language](language.md). A feature of your own is a few lines of the configuration, and is then computed,
standardised, recorded and augmented like these:

```yaml
features:
  define:
    log_d0: {of: constituents, expression: "log(maximum(abs(d0), 1e-3))", unit: ln mm, label: "$\\\\ln|d_0|$"}
    lead_share: {of: event, expression: "jets[0].pt / ht", symmetry: invariant, fill: 0}
```

`fill` is the value where the feature is missing, or where a token has no such field. Without it, a token whose
feature is missing is masked, and an event whose feature is missing is an error. `symmetry` says what augmentation does
to it: `invariant`, or what changes under the mirror η → −η (`mirror: -1`), under a turn about the beam (`azimuth`), and
under a turn of a jet's constituents about its axis (`turn`, `form`). A feature without it is refused where an
augmentation is asked for.
"""


def features_page() -> str:
    """Return the page as Markdown."""
    parts = [_TEXT]
    for level in LEVELS:
        parts.append(f"\n## {_TITLES[level]}\n\n{_HEAD}")
        parts += [_row(feature) for feature in shipped()[level].values()]
    return "\n".join(parts) + "\n"


def _row(feature: Feature) -> str:
    expression = feature.expression.replace("|", "\\|")
    meaning = feature.meaning.replace("|", "\\|")
    fill = "" if feature.fill is None else f"{feature.fill:.4g}"
    return f"| `{feature.name}` | `{expression}` | {feature.unit} | {meaning} | {fill} | {_words(feature.symmetry)} |"


def _words(symmetry: Symmetry | None) -> str:
    if symmetry is None:
        return "not known"
    words = ["changes sign under the mirror"] if symmetry.mirror < 0 else []
    words += [f"azimuth: {symmetry.azimuth}"] if symmetry.azimuth else []
    form = "" if symmetry.form == "value" else f" ({symmetry.form})"
    words += [f"turn: {symmetry.turn}{form}"] if symmetry.turn else []
    return "; ".join(words) or "invariant"


if __name__ == "__main__":
    print(features_page(), end="")
