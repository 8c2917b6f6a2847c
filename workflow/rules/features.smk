rule features:
    message:
        "Building features of {wildcards.sample}, {wildcards.part}"
    input:
        parquet=f"{RESULTS}/skim/{{sample}}/{{part}}.parquet",
        cutflows=cutflows_of_sample,
        # its check that every sample has events left comes first
        table=ancient(f"{RESULTS}/skim/cutflow.csv"),
    output:
        f"{RESULTS}/features/{{sample}}/{{part}}.npz",
    params:
        features=section("features"),
        sample=sample_of,
        luminosity_fb=analysis.luminosity_fb,
    log:
        f"{LOGS}/features/{{sample}}/{{part}}.log",
    benchmark:
        f"{BENCHMARKS}/features/{{sample}}/{{part}}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    conda:
        "../../envs/jetlens.yaml"
    script:
        "../../scripts/features.py"
