rule skim:
    input:
        local_source,
    output:
        parquet=f"{RESULTS}/skim/{{sample}}/{{part}}.parquet",
        cutflow=f"{RESULTS}/skim/{{sample}}/{{part}}.cutflow.json",
    log:
        f"{LOGS}/skim/{{sample}}/{{part}}.log",
    benchmark:
        f"{BENCHMARKS}/skim/{{sample}}/{{part}}.tsv"
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=int(1000 + 1000 * analysis.reading.memory_gb),
        runtime=60,
    params:
        settings=settings_of("skim"),
        overhead_mb=1000,
    message:
        "Selecting events of {wildcards.sample}, {wildcards.part}"
    script:
        "../../scripts/skim.py"


# both sides of a variation of objects, from one reading of the file; a job for each variation, so that an edit of one
# makes that one again
rule vary:
    input:
        local_source,
    output:
        parquet=[
            f"{RESULTS}/skim/{{sample}}@{{variation}}_{side}/{{part}}.parquet"
            for side in ("up", "down")
        ],
        cutflow=[
            f"{RESULTS}/skim/{{sample}}@{{variation}}_{side}/{{part}}.cutflow.json"
            for side in ("up", "down")
        ],
    log:
        f"{LOGS}/skim/{{sample}}@{{variation}}/{{part}}.log",
    benchmark:
        f"{BENCHMARKS}/skim/{{sample}}@{{variation}}/{{part}}.tsv"
    wildcard_constraints:
        variation="|".join(name for name in SIDES if len(SIDES[name]) == 2) or "none",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=int(1000 + 1000 * analysis.reading.memory_gb),
        runtime=60,
    params:
        settings=settings_of("vary"),
        overhead_mb=1000,
    message:
        "Selecting events of {wildcards.sample}, {wildcards.part}, under {wildcards.variation}"
    script:
        "../../scripts/skim_vary.py"


# a smearing has one side
use rule vary as vary_once with:
    output:
        parquet=[f"{RESULTS}/skim/{{sample}}@{{variation}}_up/{{part}}.parquet"],
        cutflow=[f"{RESULTS}/skim/{{sample}}@{{variation}}_up/{{part}}.cutflow.json"],
    wildcard_constraints:
        variation="|".join(name for name in SIDES if len(SIDES[name]) == 1) or "none",


rule sample_cutflow:
    input:
        cutflows_of_sample,
    output:
        f"{RESULTS}/skim/{{sample}}.cutflow.json",
    log:
        f"{LOGS}/skim/{{sample}}.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=settings_of("sample_cutflow"),
    message:
        "Adding up the parts of {wildcards.sample}"
    script:
        "../../scripts/skim_merge.py"


rule cutflow:
    input:
        sample_cutflows(samples),
    output:
        csv=report(
            f"{RESULTS}/skim/cutflow.csv",
            caption="../report/cutflow.rst",
            category="Selection",
            labels={"content": "cutflow", "type": "table"},
        ),
    log:
        f"{LOGS}/skim/cutflow.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=settings_of("cutflow"),
    message:
        "Cutflow table"
    script:
        "../../scripts/skim_cutflow.py"
