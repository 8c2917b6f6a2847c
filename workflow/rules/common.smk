import re

from jetlens.config import fitted, slices
from jetlens.config.consistency import placed_streams
from jetlens.config.explanation import methods_of
from jetlens.config.models import stream_names
from jetlens.config.load import validate as validate_config
from jetlens.config.preflight import preflight
from jetlens.config.samples import is_url, read_samples
from jetlens.figures.table import targets as figure_targets
from jetlens.running.leftovers import told
from jetlens.running.owner import TAKE_OVER, check_owner, claim

take_over = str(config.pop(TAKE_OVER, False)).lower() in ("true", "1", "yes")
analysis = checked(validate_config, config, workflow.configfiles)
table = checked(read_samples, analysis.samples)
if workflow.is_main_process:
    # steps in conda environments or containers have back ends of their own
    checked(
        preflight,
        analysis,
        table,
        not workflow.deployment_settings.deployment_method,
        workflow.configfiles,
    )

event_schema = analysis.reading.event_schema()

# what is trained on and evaluated, and what is only scored by what was trained
samples = fitted.trained_samples(analysis, table)
applications = {name: row for name, row in table.items() if row.role == "application"}

RESULTS = f"results/{analysis.analysis}"
if workflow.is_main_process and not take_over:
    checked(check_owner, Path(RESULTS), workflow.configfiles, analysis.analysis)
if cleared := recover(workflow, OWN, RESULTS):
    say(cleared)
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"
CLASSES = f"{RESULTS}/features/classes.json"
NORMALISATION = f"{RESULTS}/features/normalisation.json"
VARIANTS = analysis.training.variants
BOOSTED = [
    name
    for name, options in analysis.models.items()
    if options.kind == "gradient_boosting"
]
NETWORKS = [name for name in analysis.models if name not in BOOSTED]
FITTED = fitted.fitted_samples(analysis, table)
MASSES = fitted.hypotheses(analysis, table)
MOVED = fitted.object_variations(analysis)
SIDES = {name: list(variation.moves()) for name, variation in MOVED.items()}
SCORED = fitted.scored_samples(analysis, table)
WEIGHED = list(fitted.weight_variations(analysis))
TAGS = analysis.inference.tag_weights if analysis.inference.variants else None
# events with drawn tags take the place of those that they are drawn for, in all that scores and weights are made of
DRAWN = "@tags" if TAGS else ""
MOVES = ["", *(f"@{name}_{side}" for name in SIDES for side in SIDES[name])]


wildcard_constraints:
    sample="|".join(map(re.escape, {**samples, **SCORED})),
    part=r"[A-Za-z0-9_-]+",
    stream="|".join(analysis.features.streams),
    variant="|".join(analysis.models),
    run=r"seed\d+(_rotation[1-9]\d*)?",
    variation="|".join(analysis.variations) or "none",
    move=f"(?:{'|'.join(MOVES)})",
    # whatever is made into features for scores alone
    varied="|".join(re.escape(f"{move}{DRAWN}") for move in MOVES if move or DRAWN)
    or "@none",


def settings_of(name):
    """What a rule is handed of configuration and sample table; see jetlens.config.slices."""
    return lambda wildcards: slices.settings_of(
        name, slices.Context(analysis, table, dict(wildcards.items()))
    )


def local(source):
    """An input file with its companions as Snakemake sees them; a URL is none, the library opens it itself."""
    files = [source, *event_schema.companions_of(source).values()]
    return [file for file in files if not is_url(file)]


def local_source(wildcards):
    return local(table[wildcards.sample].files[wildcards.part])


def per_part(pattern, only=None):
    """``pattern`` for every part of every sample that is trained on, or of one of the table."""
    return [
        pattern.format(sample=name, part=part)
        for name in (samples if only is None else [only])
        for part in table[name].files
    ]


def all_skims(wildcards=None):
    return per_part(f"{RESULTS}/skim/{{sample}}/{{part}}.parquet")


def sample_cutflows(names):
    """One file per sample, whatever its number of parts."""
    return [f"{RESULTS}/skim/{name}.cutflow.json" for name in names]


def cutflows_of_sample(wildcards):
    return per_part(
        f"{RESULTS}/skim/{{sample}}/{{part}}.cutflow.json", wildcards.sample
    )


def all_features(name):
    """One of the feature files of every part: ``event`` or a stream."""
    return per_part(f"{RESULTS}/features/{{sample}}/{{part}}/{name}.npz")


def streams_of(wildcards):
    """Feature files of the streams that a variant reads: no other makes it train again."""
    return [
        file
        for name in stream_names(analysis.models[wildcards.variant])
        for file in all_features(name)
    ]


def runs(rotations):
    """The folders of a variant's trainings, one per seed and rotation; the first rotation is not named."""
    return [
        f"seed{seed}_rotation{rotation}" if rotation else f"seed{seed}"
        for rotation in range(rotations)
        for seed in analysis.training.seeds
    ]


def trained(variant, file, rotations=analysis.training.k_fold):
    """One file of every training of a variant, or of its first rotations only."""
    return [f"{RESULTS}/training/{variant}/{run}/{file}" for run in runs(rotations)]


def models_of(variant, rotations=analysis.training.k_fold):
    suffix = "txt" if variant in BOOSTED else "keras"
    return trained(variant, f"model.{suffix}", rotations)


def companions_of(variant, kind):
    """Networks that tests of explanations ask, none of trees.

    ``dropout``: judges where constituents are masked, one per seed; ``permuted``: what permuted labels teach, of the
    first seeds.
    """
    asked = {
        "dropout": analysis.explanation.companion_epochs and len(runs(1)),
        "permuted": analysis.explanation.permuted_labels,
    }
    if variant in BOOSTED:
        return []
    return [
        f"{RESULTS}/training/{variant}@{kind}/{run}/{file}"
        for file in ("model.keras", "manifest.json")
        for run in runs(1)[: asked[kind]]
    ]


def companion_inputs(wildcards):
    """A judge starts from its network, and is made again with it."""
    if wildcards.companion == "permuted":
        return training_inputs(wildcards)
    start = f"{RESULTS}/training/{wildcards.variant}/{wildcards.run}"
    own = {"start": f"{start}/model.keras", "manifest": f"{start}/manifest.json"}
    return {**training_inputs(wildcards), **own}


def training_inputs(wildcards):
    """What a training reads; of the normalisation only one with weights by σ·L knows."""
    files = {
        "events": all_features("event"),
        "streams": streams_of(wildcards),
        "classes": CLASSES,
    }
    if analysis.training.weights == "physics":
        files["normalisation"] = NORMALISATION
    return files


def applied():
    """The scores of every part of the application samples, by variant and sample."""
    return {
        variant: {
            name: [
                f"{RESULTS}/application/{variant}/{name}/{part}.npz"
                for part in sample.files
            ]
            for name, sample in applications.items()
        }
        for variant in VARIANTS
    }


def local_sources():
    return [
        file
        for sample in table.values()
        for source in sample.files.values()
        for file in local(source)
    ]


def evaluations(file):
    """One file of the evaluation of every variant."""
    return [f"{RESULTS}/evaluation/{variant}/{file}" for variant in VARIANTS]


def explained(variant):
    """The files of all methods that explain a variant."""
    return [
        f"{RESULTS}/explanation/{variant}/{method}.npz"
        for method in methods_of(analysis.models[variant], analysis.explanation.methods)
    ]


def explanation_pages():
    """Per explained variant the page of its tests, and single events to look at."""
    names = ["believed"]
    if analysis.explanation.display_events:
        names.append("event_display")
    return [
        f"{RESULTS}/explanation/{variant}/{name}.html"
        for variant in analysis.explanation.variants
        for name in names
    ]


def selected(variant):
    """The scored events of every fitted sample, and of those that stand for them in variations."""
    return [f"{RESULTS}/inference/events/{variant}/{name}.parquet" for name in SCORED]


def varied_names(variation):
    """``<sample>@<variation>_<side>`` of all that a variation of objects makes."""
    return [
        f"{name}@{variation}_{side}"
        for name in fitted.varied_samples(analysis, table, variation)
        for side in SIDES[variation]
    ]


def varied_parts(pattern, variation):
    """``pattern`` for every part of all that a variation of objects makes."""
    return [
        pattern.format(sample=f"{name}{DRAWN}", part=part)
        for name in varied_names(variation)
        for part in samples[name.partition("@")[0]].files
    ]


def varied_events(variant):
    """The scored events of every variation of objects."""
    return [
        f"{RESULTS}/inference/events/{variant}/{name}.parquet"
        for variation in SIDES
        for name in varied_names(variation)
    ]


def weighed_parts(pattern, variation):
    """``pattern`` for every part of the samples that a variation of weights acts on."""
    pattern = pattern.replace("{sample}", f"{{sample}}{DRAWN}")
    return [
        file
        for name in fitted.varied_samples(analysis, table, variation)
        for file in per_part(pattern, name)
    ]


def unblinded(variant):
    """The data's scored events, once they may be looked at."""
    names = analysis.inference.data if analysis.inference.unblind else []
    return [f"{RESULTS}/inference/events/{variant}/{name}.parquet" for name in names]


def inferred(file):
    """One file of every limit."""
    return [
        f"{RESULTS}/inference/{variant}/{mass}/{file}"
        for variant in analysis.inference.variants
        for mass in MASSES
    ]


def scored_parts(pattern, drawn=""):
    """``pattern`` for every part of the scored samples, or, as ``drawn``, of what is drawn for them."""
    pattern = pattern.replace("{sample}", f"{{sample}}{drawn}")
    return [file for name in SCORED for file in per_part(pattern, name)]


def scored_streams(wildcards):
    """Feature files of the streams that a variant reads, of the events that are scored."""
    return [
        file
        for name in stream_names(analysis.models[wildcards.variant])
        for file in scored_parts(
            f"{RESULTS}/features/{{sample}}/{{part}}/{name}.npz", DRAWN
        )
    ]


def efficiencies():
    """What tags are drawn with."""
    if TAGS and TAGS.corrections:
        return [TAGS.corrections]
    return [f"{RESULTS}/inference/tag_efficiency.json"]


def report_targets():
    """All that the report shows."""
    figures = [
        f"{RESULTS}/figures/{name}.{suffix}"
        for name in figure_targets(analysis, table)
        for suffix in analysis.figures.formats
    ]
    tables = ["skim/cutflow.csv", "evaluation/summary.csv", "evaluation/comparison.csv"]
    tables.append("inference/significance.csv")
    if analysis.inference.variants:
        tables += ["inference/limits.csv", "inference/limits_breakdown.csv"]
        tables.append("inference/yields.csv")
    if analysis.evaluation.unlock:
        tables.append("evaluation/locked.csv")
    if applications:
        tables.append("application/summary.csv")
    return [f"{RESULTS}/{name}" for name in tables] + figures + explanation_pages()


def final_targets():
    pages = ("manifest.json", "index.html", "report.html")
    return [*report_targets(), *(f"{RESULTS}/{name}" for name in pages)]
