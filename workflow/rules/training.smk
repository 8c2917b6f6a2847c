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
        mem_mb=int(2000 + 1000 * analysis.training.memory_gb),
        runtime=240,
    params:
        settings=settings_of("train_network"),
        overhead_mb=2000,
    message:
        "Training {wildcards.variant}, {wildcards.run}"
    script:
        "../../scripts/training.py"


# what tests of explanations ask. dropout: judges by taking constituents away, used to jets of which some are gone;
# permuted: trained on labels that tell nothing
rule train_companion:
    input:
        unpack(companion_inputs),
    output:
        model=f"{RESULTS}/training/{{variant}}@{{companion}}/{{run}}/model.keras",
        history=f"{RESULTS}/training/{{variant}}@{{companion}}/{{run}}/history.csv",
        manifest=f"{RESULTS}/training/{{variant}}@{{companion}}/{{run}}/manifest.json",
    log:
        f"{LOGS}/training/{{variant}}@{{companion}}/{{run}}.log",
    benchmark:
        f"{BENCHMARKS}/training/{{variant}}@{{companion}}/{{run}}.tsv"
    wildcard_constraints:
        variant="|".join(NETWORKS) or "none",
        companion="dropout|permuted",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=int(2000 + 1000 * analysis.training.memory_gb),
        runtime=240,
    params:
        settings=settings_of("train_companion"),
        overhead_mb=2000,
    message:
        "Training {wildcards.variant}@{wildcards.companion}, {wildcards.run}"
    script:
        "../../scripts/training.py"


rule train_boosting:
    input:
        unpack(training_inputs),
    output:
        model=f"{RESULTS}/training/{{variant}}/{{run}}/model.txt",
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
        mem_mb=int(1000 + 1000 * analysis.training.memory_gb),
        runtime=60,
    params:
        settings=settings_of("train_boosting"),
        overhead_mb=1000,
    message:
        "Training {wildcards.variant}, {wildcards.run}"
    script:
        "../../scripts/training.py"
