rule evaluate:
    message:
        "Evaluating {wildcards.variant}"
    input:
        models=models_of_variant,
        manifests=manifests_of_variant,
        features=all_features(),
    output:
        scores=f"{RESULTS}/evaluation/{{variant}}/scores.npz",
        metrics=f"{RESULTS}/evaluation/{{variant}}/metrics.json",
        roc=f"{RESULTS}/evaluation/{{variant}}/roc.csv",
    params:
        evaluation=section("evaluation"),
    log:
        f"{LOGS}/evaluation/{{variant}}.log",
    benchmark:
        f"{BENCHMARKS}/evaluation/{{variant}}.tsv"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    conda:
        "../../envs/jetlens.yaml"
    script:
        "../../scripts/evaluation.py"


rule summary:
    message:
        "Summary of all variants"
    input:
        expand(f"{RESULTS}/evaluation/{{variant}}/{{file}}", variant=VARIANTS, file=["metrics.json", "scores.npz"]),
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
    params:
        evaluation=section("evaluation"),
        folders=[f"{RESULTS}/evaluation/{variant}" for variant in VARIANTS],
    log:
        f"{LOGS}/evaluation/summary.log",
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/jetlens.yaml"
    script:
        "../../scripts/evaluation_summary.py"
