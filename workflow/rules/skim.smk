rule skim:
    message:
        "Selecting events of {wildcards.sample}, {wildcards.part}"
    input:
        local_source,
    output:
        parquet=f"{RESULTS}/skim/{{sample}}/{{part}}.parquet",
        cutflow=f"{RESULTS}/skim/{{sample}}/{{part}}.cutflow.json",
    params:
        source=lambda wildcards: samples[wildcards.sample].files[wildcards.part],
        reading=section("reading"),
        skim=section("skim"),
    log:
        f"{LOGS}/skim/{{sample}}/{{part}}.log",
    benchmark:
        f"{BENCHMARKS}/skim/{{sample}}/{{part}}.tsv"
    threads: 1
    resources:
        mem_mb=int(1000 + 1000 * analysis.reading.memory_gb),
        runtime=60,
    conda:
        "../../envs/jetlens.yaml"
    script:
        "../../scripts/skim.py"


rule cutflow:
    message:
        "Cutflow table"
    input:
        all_cutflows(),
    output:
        csv=report(
            f"{RESULTS}/skim/cutflow.csv",
            caption="../report/cutflow.rst",
            category="Selection",
            labels={"content": "cutflow", "type": "table"},
        ),
    params:
        samples=[dataclasses.asdict(sample) for sample in samples.values()],
        luminosity_fb=analysis.luminosity_fb,
    log:
        f"{LOGS}/skim/cutflow.log",
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/jetlens.yaml"
    script:
        "../../scripts/skim_cutflow.py"
