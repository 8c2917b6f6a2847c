rule evaluate:
    input:
        models=lambda wildcards: models_of(wildcards.variant),
        manifests=lambda wildcards: trained(wildcards.variant, "manifest.json"),
        events=all_features("event"),
        streams=streams_of,
        normalisation=NORMALISATION,
    output:
        scores=f"{RESULTS}/evaluation/{{variant}}/scores.npz",
        metrics=f"{RESULTS}/evaluation/{{variant}}/metrics.json",
        roc=f"{RESULTS}/evaluation/{{variant}}/roc.csv",
    log:
        f"{LOGS}/evaluation/{{variant}}.log",
    benchmark:
        f"{BENCHMARKS}/evaluation/{{variant}}.tsv"
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        settings=settings_of("evaluate"),
    message:
        "Evaluating {wildcards.variant}"
    script:
        "../../scripts/evaluation.py"


rule summary:
    input:
        expand(
            f"{RESULTS}/evaluation/{{variant}}/{{file}}",
            variant=VARIANTS,
            file=["metrics.json", "scores.npz"],
        ),
    output:
        summary=report(
            f"{RESULTS}/evaluation/summary.csv",
            caption="../report/summary.rst",
            category="Classifiers",
            labels={"content": "all variants", "type": "table"},
        ),
        comparison=report(
            f"{RESULTS}/evaluation/comparison.csv",
            caption="../report/comparison.rst",
            category="Classifiers",
            labels={"content": "paired comparison", "type": "table"},
        ),
    log:
        f"{LOGS}/evaluation/summary.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=settings_of("summary"),
        folders=[f"{RESULTS}/evaluation/{variant}" for variant in VARIANTS],
    message:
        "Summary of all variants"
    script:
        "../../scripts/evaluation_summary.py"


rule locked:
    input:
        models=lambda wildcards: models_of(wildcards.variant),
        manifests=lambda wildcards: trained(wildcards.variant, "manifest.json"),
        events=all_features("event"),
        streams=streams_of,
        normalisation=NORMALISATION,
        scores=f"{RESULTS}/evaluation/{{variant}}/scores.npz",
    output:
        f"{RESULTS}/evaluation/{{variant}}/locked.csv",
    log:
        f"{LOGS}/evaluation/{{variant}}.locked.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        settings=settings_of("locked"),
    message:
        "Locked folds: {wildcards.variant}"
    script:
        "../../scripts/evaluation_locked.py"


rule locked_table:
    input:
        evaluations("locked.csv"),
    output:
        report(
            f"{RESULTS}/evaluation/locked.csv",
            caption="../report/locked.rst",
            category="Classifiers",
            labels={"content": "locked folds", "type": "table"},
        ),
    log:
        f"{LOGS}/evaluation/locked.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=settings_of("locked_table"),
    message:
        "Locked folds of all variants"
    script:
        "../../scripts/evaluation_locked_table.py"
