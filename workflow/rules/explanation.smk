rule explain:
    message:
        "Explaining {wildcards.variant}"
    input:
        models=models_of_variant,
        manifests=manifests_of_variant,
        features=all_features(),
    output:
        attention=f"{RESULTS}/explanation/{{variant}}/attention.npz",
        gradcam=f"{RESULTS}/explanation/{{variant}}/gradcam.npz",
        faithfulness=f"{RESULTS}/explanation/{{variant}}/faithfulness.json",
    params:
        explanation=explanation_section(),
    log:
        f"{LOGS}/explanation/{{variant}}.log",
    benchmark:
        f"{BENCHMARKS}/explanation/{{variant}}.tsv"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    conda:
        "../../envs/jetlens.yaml"
    script:
        "../../scripts/explanation.py"
