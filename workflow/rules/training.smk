rule train_network:
    message:
        "Training {wildcards.variant}, seed {wildcards.seed}"
    input:
        all_features(),
    output:
        model=f"{RESULTS}/training/{{variant}}/seed{{seed}}/model.keras",
        history=f"{RESULTS}/training/{{variant}}/seed{{seed}}/history.csv",
        manifest=f"{RESULTS}/training/{{variant}}/seed{{seed}}/manifest.json",
    params:
        options=options_of,
        training=training_section(),
    log:
        f"{LOGS}/training/{{variant}}/seed{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/training/{{variant}}/seed{{seed}}.tsv"
    wildcard_constraints:
        variant="|".join(NETWORKS) or "none",
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
    conda:
        "../../envs/jetlens.yaml"
    script:
        "../../scripts/training.py"


rule train_boosting:
    message:
        "Training {wildcards.variant}, seed {wildcards.seed}"
    input:
        all_features(),
    output:
        model=f"{RESULTS}/training/{{variant}}/seed{{seed}}/model.npz",
        history=f"{RESULTS}/training/{{variant}}/seed{{seed}}/history.csv",
        manifest=f"{RESULTS}/training/{{variant}}/seed{{seed}}/manifest.json",
    params:
        options=options_of,
        training=training_section(),
    log:
        f"{LOGS}/training/{{variant}}/seed{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/training/{{variant}}/seed{{seed}}.tsv"
    wildcard_constraints:
        variant="|".join(BOOSTED) or "none",
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    conda:
        "../../envs/jetlens.yaml"
    script:
        "../../scripts/training.py"
