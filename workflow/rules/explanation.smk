from jetlens.config.explanation import methods_of

# one job per variant: what takes longest is to start a back end
for variant in analysis.explanation.variants:

    rule:
        name:
            f"explain_{variant}"
        input:
            # of k-fold trainings the first rotation, whose test events are explained
            models=lambda wildcards: models_of(wildcards.variant, rotations=1),
            manifests=lambda wildcards: trained(
                wildcards.variant, "manifest.json", rotations=1
            ),
            companions=companions_of(variant, "dropout"),
            permuted=companions_of(variant, "permuted"),
            events=all_features("event"),
            streams=streams_of,
            normalisation=NORMALISATION,
        output:
            methods=[
                f"{RESULTS}/explanation/{{variant}}/{method}.npz"
                for method in methods_of(
                    analysis.models[variant], analysis.explanation.methods
                )
            ],
            faithfulness=f"{RESULTS}/explanation/{{variant}}/faithfulness.json",
            page=report(
                f"{RESULTS}/explanation/{{variant}}/believed.html",
                caption="../report/believed.rst",
                category="Explanation",
                labels={
                    "content": "can the explanations of {variant} be believed?",
                    "type": "page",
                },
            ),
        log:
            f"{LOGS}/explanation/{{variant}}.log",
        benchmark:
            f"{BENCHMARKS}/explanation/{{variant}}.tsv"
        wildcard_constraints:
            variant=re.escape(variant),
        conda:
            "../../envs/jetlens.yaml"
        threads: 1
        resources:
            mem_mb=3000,
            runtime=60,
        params:
            settings=settings_of("explain"),
        message:
            "Explaining {wildcards.variant}"
        script:
            "../../scripts/explanation.py"


rule event_display:
    input:
        lambda wildcards: explained(wildcards.variant),
    output:
        report(
            f"{RESULTS}/explanation/{{variant}}/event_display.html",
            caption="../report/event_display.rst",
            category="Explanation",
            labels={"content": "event display of {variant}", "type": "page"},
        ),
    log:
        f"{LOGS}/explanation/{{variant}}_display.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=settings_of("event_display"),
    message:
        "Event display of {wildcards.variant}"
    script:
        "../../scripts/explanation_display.py"
