rule explain:
    input:
        # of k-fold trainings the first rotation, whose test events are explained
        models=lambda wildcards: models_of(wildcards.variant, rotations=1),
        manifests=lambda wildcards: trained(
            wildcards.variant, "manifest.json", rotations=1
        ),
        events=all_features("event"),
        streams=streams_of,
        normalisation=NORMALISATION,
    output:
        attention=f"{RESULTS}/explanation/{{variant}}/attention.npz",
        gradcam=f"{RESULTS}/explanation/{{variant}}/gradcam.npz",
        faithfulness=f"{RESULTS}/explanation/{{variant}}/faithfulness.json",
    log:
        f"{LOGS}/explanation/{{variant}}.log",
    benchmark:
        f"{BENCHMARKS}/explanation/{{variant}}.tsv"
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
