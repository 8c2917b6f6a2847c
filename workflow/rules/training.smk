rule train_network:
    input:
        all_features(),
    output:
        model=f"{RESULTS}/training/{{variant}}/seed{{seed}}/model.keras",
        history=f"{RESULTS}/training/{{variant}}/seed{{seed}}/history.csv",
        manifest=f"{RESULTS}/training/{{variant}}/seed{{seed}}/manifest.json",
    log:
        f"{LOGS}/training/{{variant}}/seed{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/training/{{variant}}/seed{{seed}}.tsv"
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
        application={name: section(name) for name in ("reading", "skim", "features")},
    message:
        "Training {wildcards.variant}, seed {wildcards.seed}"
    script:
        "../../scripts/training.py"


rule train_boosting:
    input:
        all_features(),
    output:
        model=f"{RESULTS}/training/{{variant}}/seed{{seed}}/model.npz",
        history=f"{RESULTS}/training/{{variant}}/seed{{seed}}/history.csv",
        manifest=f"{RESULTS}/training/{{variant}}/seed{{seed}}/manifest.json",
    log:
        f"{LOGS}/training/{{variant}}/seed{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/training/{{variant}}/seed{{seed}}.tsv"
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
        application={name: section(name) for name in ("reading", "skim", "features")},
    message:
        "Training {wildcards.variant}, seed {wildcards.seed}"
    script:
        "../../scripts/training.py"
