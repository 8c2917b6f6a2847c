rule train_network:
    input:
        unpack(training_inputs),
    output:
        model=f"{RESULTS}/training/{{variant}}/{{run}}/model.keras",
        history=f"{RESULTS}/training/{{variant}}/{{run}}/history.csv",
        manifest=f"{RESULTS}/training/{{variant}}/{{run}}/manifest.json",
    log:
        f"{LOGS}/training/{{variant}}/{{run}}.log",
    benchmark:
        f"{BENCHMARKS}/training/{{variant}}/{{run}}.tsv"
    wildcard_constraints:
        variant="|".join(NETWORKS) or "none",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
    params:
        options=options_of,
        training=training_section(),
        recipe={name: section(name) for name in ("reading", "skim", "features")},
    message:
        "Training {wildcards.variant}, {wildcards.run}"
    script:
        "../../scripts/training.py"


rule train_boosting:
    input:
        unpack(training_inputs),
    output:
        model=f"{RESULTS}/training/{{variant}}/{{run}}/model.npz",
        history=f"{RESULTS}/training/{{variant}}/{{run}}/history.csv",
        manifest=f"{RESULTS}/training/{{variant}}/{{run}}/manifest.json",
    log:
        f"{LOGS}/training/{{variant}}/{{run}}.log",
    benchmark:
        f"{BENCHMARKS}/training/{{variant}}/{{run}}.tsv"
    wildcard_constraints:
        variant="|".join(BOOSTED) or "none",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        options=options_of,
        training=training_section(),
        recipe={name: section(name) for name in ("reading", "skim", "features")},
    message:
        "Training {wildcards.variant}, {wildcards.run}"
    script:
        "../../scripts/training.py"
