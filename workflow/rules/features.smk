rule features:
    input:
        parquet=f"{RESULTS}/skim/{{sample}}/{{part}}.parquet",
        cutflow=f"{RESULTS}/skim/{{sample}}.cutflow.json",
        # its check that every sample has events left comes first
        table=ancient(f"{RESULTS}/skim/cutflow.csv"),
    output:
        f"{RESULTS}/features/{{sample}}/{{part}}.npz",
    log:
        f"{LOGS}/features/{{sample}}/{{part}}.log",
    benchmark:
        f"{BENCHMARKS}/features/{{sample}}/{{part}}.tsv"
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        features=section("features"),
        sample=sample_of,
        luminosity_fb=analysis.luminosity_fb,
    message:
        "Building features of {wildcards.sample}, {wildcards.part}"
    script:
        "../../scripts/features.py"
