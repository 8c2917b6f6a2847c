"""What a configuration needs of this machine and of the drawing library: looked for before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from jetlens.config import Config
from jetlens.config.consistency import names_of
from jetlens.config.corrections import correction_of
from jetlens.config.fitted import alternatives, fitted_samples, trained_samples
from jetlens.config.problems import Sources, located
from jetlens.config.samples import TRAINED, Sample, is_url
from jetlens.config.variations import SampleVariation
from jetlens.errors import ConfigError, FileError, did_you_mean
from jetlens.expressions import check
from jetlens.expressions.feature import MASS_FEATURE


def preflight(
    config: Config, samples: Mapping[str, Sample], backend: bool = True, sources: Sources = ()
) -> None:
    """Refuse what would end a run late: a back end that is not installed, text that cannot be drawn,
    looks of processes that there are not.

    Args:
        config: the configuration.
        samples: the sample table.
        backend: whether the steps run in this environment, so that the back end must be in it.
        sources: the YAML files that the configuration came from; used to name file and line in messages.

    Raises:
        ConfigError: with one line per problem.
    """
    problems = [problem for key, text in _drawn(config, samples) if (problem := _undrawable(key, text))]
    problems += _unknown_processes(config, samples)
    problems += _meaningless(config, samples)
    problems += _alone(config, samples)
    problems += _not_fitted(config, samples)
    problems += _not_varied(config, samples)
    problems += _none_left(config, samples)
    problems += _no_corrections(config)
    problems += _no_mass(config, samples)
    if backend and (problem := _not_installed(config)):
        problems.append(problem)
    if problems:
        raise ConfigError("\n".join(located(problem, sources) for problem in problems))


def _not_installed(config: Config) -> str | None:
    networks = [name for name in config.training.variants if config.models[name].kind != "gradient_boosting"]
    name = config.training.backend
    if not networks or find_spec(name) is not None:
        return None
    return (
        f"training.backend: '{name}' is not installed here, and '{networks[0]}' is trained with it; install it "
        f"(pip install 'jetlens[{name}]') or choose another"
        if name != "tensorflow"
        else f"training.backend: 'tensorflow' is not installed here, and '{networks[0]}' is trained with it"
    )


def _unknown_processes(config: Config, samples: Mapping[str, Sample]) -> Iterator[str]:
    known = {sample.process for sample in samples.values()}
    for name in config.figures.processes:
        if name not in known:
            hint = did_you_mean(name, known) or f"; there are: {', '.join(sorted(known))}"
            yield f"figures.processes: no sample of {config.samples} has the process '{name}'{hint}"


def _not_fitted(config: Config, samples: Mapping[str, Sample]) -> Iterator[str]:
    """What inference names and the sample table does not have, and signals without a mass."""
    inference = config.inference
    if not inference.variants:
        return
    for key, names, roles in (
        ("samples", inference.samples, ("signal", "background")),
        ("data", inference.data, ("application",)),
    ):
        allowed = [name for name, sample in samples.items() if sample.role in roles]
        for name in names:
            if name not in allowed:
                hint = did_you_mean(name, allowed) if allowed else "; there is none"
                yield f"inference.{key}: '{name}' is no sample of role {' or '.join(roles)}{hint}"
    fitted = [samples[n] for n in inference.samples or samples if n in samples]
    signals = [sample for sample in fitted if sample.role == "signal"]
    for sample in signals:
        if sample.mass_gev is None:
            yield f"{config.samples}: sample '{sample.name}' has no mass_GeV, which limits are set against; give it"
    backgrounds = {sample.process for sample in fitted if sample.role == "background"}
    model = inference.background
    for key, processes in (
        ("scale", [*inference.scale]),
        ("background.processes", getattr(model, "processes", [])),
    ):
        known = backgrounds | ({s.process for s in signals} if key == "scale" else set())
        for name in processes:
            if name not in known:
                yield f"inference.{key}: no fitted sample has the process '{name}'{did_you_mean(name, known)}"
    masses = {f"{s.mass_gev:g}" for s in samples.values() if s.role == "signal" and s.mass_gev}
    for mass in inference.cross_sections_fb if masses else ():
        if mass not in masses:
            hint = did_you_mean(mass, masses)
            yield f"inference.cross_sections_fb: no signal of {config.samples} has mass_GeV {mass}{hint}"
    for role, found in (("signal", signals), ("background", backgrounds)):
        if not found and all(name in samples for name in inference.samples):
            yield f"inference.samples: none of role {role}; limits need both"


def _alone(config: Config, samples: Mapping[str, Sample]) -> Iterator[str]:
    """Files without the companions that the schema says they have."""
    schema = config.reading.event_schema()
    for sample in samples.values() if schema.companions else ():
        for path in sample.files.values():
            try:
                others = schema.companions_of(path).values()
            except FileError as error:
                yield str(error)
                continue
            for other in others:
                if not is_url(other) and not Path(other).exists():
                    yield f"{other}: does not exist; schema '{schema.name}' reads it beside {path}"


def _no_mass(config: Config, samples: Mapping[str, Sample]) -> Iterator[str]:
    """What networks that know the mass hypothesis need."""
    for sample in samples.values() if MASS_FEATURE in config.features.event else ():
        if sample.role == "signal" and sample.mass_gev is None:
            yield f"{config.samples}: sample '{sample.name}' has no mass_GeV, which {MASS_FEATURE} is made of; give it"
        if sample.role == "application" and sample.mass_gev is None:
            yield (
                f"{config.samples}: sample '{sample.name}' has no mass_GeV, the hypothesis at which networks that "
                f"read {MASS_FEATURE} are applied to it; give it"
            )


def _no_corrections(config: Config) -> Iterator[str]:
    tags = config.inference.tag_weights if config.inference.variants else None
    if tags is not None and tags.corrections is not None and not Path(tags.corrections).is_file():
        yield f"inference.tag_weights.corrections: file '{tags.corrections}' does not exist"
    elif tags is not None and tags.corrections is not None:
        try:
            correction_of(tags)
        except FileError as error:
            yield f"inference.tag_weights.corrections: {error}"


def _not_varied(config: Config, samples: Mapping[str, Sample]) -> Iterator[str]:
    """What variations name and the sample table, or the fit, does not have."""
    if not config.inference.variants:
        return
    fitted = fitted_samples(config, samples)
    if not fitted:
        return  # which is said already
    processes = {sample.process for sample in fitted.values()}
    trained = [name for name, sample in samples.items() if sample.role != "application"]
    for name, variation in config.variations.items():
        key = f"variations.{name}"
        if not isinstance(variation, SampleVariation):
            for process in variation.processes:
                if process not in processes:
                    hint = did_you_mean(process, processes)
                    yield f"{key}.processes: no fitted sample has the process '{process}'{hint}"
            continue
        for sample, other in variation.instead.items():
            if sample not in fitted:
                yield f"{key}.instead: '{sample}' is no fitted sample{did_you_mean(sample, fitted)}"
            elif other not in trained:
                hint = did_you_mean(other, trained)
                yield f"{key}.instead.{sample}: '{other}' is no sample of role signal or background{hint}"
            elif samples[other].role != samples[sample].role:
                yield f"{key}.instead.{sample}: '{other}' is {samples[other].role}, '{sample}' {samples[sample].role}"


def _none_left(config: Config, samples: Mapping[str, Sample]) -> Iterator[str]:
    """A class all of whose samples only stand for others in variations."""
    others = ", ".join(alternatives(config))
    left = {sample.role for sample in trained_samples(config, samples).values()}
    for role in TRAINED if others else ():
        if role not in left:
            yield f"variations: nothing of role {role} is left to train on; {others} only stand for other samples"


def _meaningless(config: Config, samples: Mapping[str, Sample]) -> Iterator[str]:
    """Conditions of the sample table that the files' columns give no meaning."""
    names = names_of(config)
    for sample in samples.values():
        if sample.where:
            try:
                check(sample.where, names, "cut")
            except ConfigError as error:
                yield f"{config.samples}: where of sample '{sample.name}': {error}"


def _drawn(config: Config, samples: Mapping[str, Sample]) -> Iterator[tuple[str, str]]:
    """Every text of the user's that stands in a figure, and the key it comes from."""
    yield "figures.label", config.figures.label
    yield "inference.fit.label", config.inference.fit.label
    for name, histogram in config.figures.kinematics.items():
        yield f"figures.kinematics.{name}.label", histogram.label
        yield f"figures.kinematics.{name}.unit", histogram.unit
    for key in ("processes", "variants"):
        for name, look in getattr(config.figures, key).items():
            yield f"figures.{key}.{name}.label", look.label or ""
    for number, cut in enumerate(config.skim.cuts):
        yield f"skim.cuts[{number}].name", cut.name
    for sample in samples.values():
        yield f"{config.samples}: process of sample '{sample.name}'", sample.process


def _undrawable(key: str, text: str) -> str | None:
    if "$" not in text:
        return None
    from matplotlib.cbook import is_math_text  # here: its import takes a while, and most texts are plain
    from matplotlib.mathtext import MathTextParser

    if not is_math_text(text):
        return f"{key}: '{text}' has a $ without its partner; close the formula, or write \\$ for a dollar"
    try:
        MathTextParser("path").parse(text)
    except ValueError as error:
        reason = next((line for line in reversed(str(error).splitlines()) if line.strip()), "")
        return f"{key}: matplotlib cannot draw '{text}': {reason.strip()}"
    return None
