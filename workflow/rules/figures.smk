from jetlens.figures.table import FIGURES

# the inputs of figures that are lists of files; all others are named in the table
MANY = {
    "skims": all_skims,
    "events": lambda wildcards: all_features("event"),
    "constituents": lambda wildcards: [
        file
        for name in placed_streams(analysis.features.streams)
        for file in all_features(name)
    ],
    "roc": lambda wildcards: evaluations("roc.csv"),
    "metrics": lambda wildcards: evaluations("metrics.json"),
    "histories": lambda wildcards: trained(
        wildcards.variant, "history.csv", rotations=1
    ),
    "first_method": lambda wildcards: (
        f"{RESULTS}/explanation/{wildcards.variant}/{analysis.explanation.methods[0]}.npz"
    ),
    "all_methods": lambda wildcards: explained(wildcards.variant),
    "applied": lambda wildcards: sum(applied()[wildcards.variant].values(), []),
}


wildcard_constraints:
    quantity="|".join(analysis.figures.kinematics) or "none",
    method="[a-z_]+",
    mass=r"\d+(\.\d+)?",


def drawn_from(entry):
    return lambda wildcards: {
        name: (
            MANY[source](wildcards)
            if source in MANY
            else f"{RESULTS}/{source}".format(**dict(wildcards.items()))
        )
        for name, source in entry.inputs.items()
    }


def context_of(wildcards):
    return slices.Context(analysis, table, dict(wildcards.items()))


for entry in FIGURES:

    rule:
        name:
            entry.rule
        input:
            unpack(drawn_from(entry)),
        output:
            csv=f"{RESULTS}/figures/{entry.name}.csv",
            figure=[
                (
                    report(
                        f"{RESULTS}/figures/{entry.name}.png",
                        caption="../report/figure.rst",
                        category=entry.category,
                        labels={"content": entry.content, "type": "figure"},
                    )
                    if suffix == "png"
                    else f"{RESULTS}/figures/{entry.name}.{suffix}"
                )
                for suffix in analysis.figures.formats
            ],
        log:
            f"{LOGS}/figures/{entry.name}.log",
        conda:
            "../../envs/jetlens.yaml"
        threads: 1
        resources:
            mem_mb=entry.memory_mb,
            runtime=20,
        params:
            figure=entry.rule,
            stage=slices.STAGE["figures"],
            look=entry.look(analysis),
            settings=lambda wildcards, entry=entry: entry.settings(
                context_of(wildcards)
            ),
            caption=lambda wildcards, entry=entry: entry.text(context_of(wildcards)),
        message:
            f"Figure: {entry.content}".replace("{", "{wildcards.")
        script:
            "../../scripts/figures.py"
