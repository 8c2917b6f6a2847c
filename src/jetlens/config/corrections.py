"""The efficiencies of tags that a correctionlib file gives (``inference.tag_weights.corrections``)."""

from __future__ import annotations

from typing import Any

from jetlens.config.inference import TagWeightsConfig
from jetlens.errors import FileError, did_you_mean


def correction_of(tags: TagWeightsConfig) -> Any:
    """Open the correction that is named: a ``correctionlib.highlevel.Correction``.

    Raises:
        FileError: if the file cannot be read, or does not have the correction, or it takes other inputs.
    """
    import correctionlib  # here: few analyses have one

    try:
        known = correctionlib.CorrectionSet.from_file(str(tags.corrections))
    except (RuntimeError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise FileError(f"{tags.corrections}: is no readable correctionlib file: {reason}") from error
    name = str(tags.correction)
    if name not in list(known):
        raise FileError(f"{tags.corrections}: has no correction '{name}'{did_you_mean(name, list(known))}")
    correction = known[name]
    if len(correction.inputs) != len(tags.inputs) or "string" in [v.type for v in correction.inputs]:
        wanted = ", ".join(f"{v.name} ({v.type})" for v in correction.inputs)
        raise FileError(
            f"{tags.corrections}: '{name}' takes {wanted}; inference.tag_weights.inputs has {len(tags.inputs)} "
            "expressions, which are all numbers"
        )
    return correction
