rule apply:
    input:
        models=lambda wildcards: models_of(wildcards.variant),
        manifests=lambda wildcards: trained(wildcards.variant, "manifest.json"),
        source=local_source,
    output:
        f"{RESULTS}/application/{{variant}}/{{sample}}/{{part}}.npz",
    log:
        f"{LOGS}/application/{{variant}}/{{sample}}/{{part}}.log",
    benchmark:
        f"{BENCHMARKS}/application/{{variant}}/{{sample}}/{{part}}.tsv"
    wildcard_constraints:
        sample="|".join(map(re.escape, applications)) or "none",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=int(2000 + 1000 * analysis.reading.memory_gb),
        runtime=60,
    params:
        settings=settings_of("apply"),
    message:
        "Scoring {wildcards.sample}, {wildcards.part}, with {wildcards.variant}"
    script:
        "../../scripts/application.py"


rule application_summary:
    input:
        scores=expand(f"{RESULTS}/evaluation/{{variant}}/scores.npz", variant=VARIANTS),
        applied=[
            file
            for parts in applied().values()
            for files in parts.values()
            for file in files
        ],
    output:
        report(
            f"{RESULTS}/application/summary.csv",
            caption="../report/application.rst",
            category="Classifiers",
            labels={"content": "application samples", "type": "table"},
        ),
    log:
        f"{LOGS}/application/summary.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=settings_of("application_summary"),
        folders=[f"{RESULTS}/evaluation/{variant}" for variant in VARIANTS],
        applied=applied(),
    message:
        "Summary of the application samples"
    script:
        "../../scripts/application_summary.py"
