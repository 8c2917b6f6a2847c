rule event_features:
    input:
        parquet=f"{RESULTS}/skim/{{sample}}/{{part}}.parquet",
        # made only of samples that have events left
        cutflow=f"{RESULTS}/skim/{{sample}}.cutflow.json",
    output:
        f"{RESULTS}/features/{{sample}}/{{part}}/event.npz",
    log:
        f"{LOGS}/features/{{sample}}/{{part}}/event.log",
    benchmark:
        f"{BENCHMARKS}/features/{{sample}}/{{part}}/event.tsv"
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings_of("event_features"),
    message:
        "Event features of {wildcards.sample}, {wildcards.part}"
    script:
        "../../scripts/features_event.py"


rule stream_features:
    input:
        f"{RESULTS}/skim/{{sample}}/{{part}}.parquet",
    output:
        f"{RESULTS}/features/{{sample}}/{{part}}/{{stream}}.npz",
    log:
        f"{LOGS}/features/{{sample}}/{{part}}/{{stream}}.log",
    benchmark:
        f"{BENCHMARKS}/features/{{sample}}/{{part}}/{{stream}}.tsv"
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings_of("stream_features"),
    message:
        "Stream {wildcards.stream} of {wildcards.sample}, {wildcards.part}"
    script:
        "../../scripts/features_stream.py"


# all that scoring reads of one side of a variation of objects, or of events with drawn tags; they are of their nominal
# twins' folds
rule varied_features:
    input:
        f"{RESULTS}/skim/{{sample}}{{varied}}/{{part}}.parquet",
    output:
        [
            f"{RESULTS}/features/{{sample}}{{varied}}/{{part}}/{name}.npz"
            for name in ("event", *fitted.fitted_streams(analysis))
        ],
    log:
        f"{LOGS}/features/{{sample}}{{varied}}/{{part}}.log",
    benchmark:
        f"{BENCHMARKS}/features/{{sample}}{{varied}}/{{part}}.tsv"
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings_of("varied_features"),
    message:
        "Features of {wildcards.sample}{wildcards.varied}, {wildcards.part}"
    script:
        "../../scripts/features_varied.py"


rule classes:
    output:
        CLASSES,
    log:
        f"{LOGS}/features/classes.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=settings_of("classes"),
    message:
        "Classes of the samples"
    script:
        "../../scripts/features_classes.py"


rule normalisation:
    input:
        sample_cutflows(fitted.normalised_samples(analysis, table)),
    output:
        NORMALISATION,
    log:
        f"{LOGS}/features/normalisation.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=settings_of("normalisation"),
    message:
        "Normalisation of the samples"
    script:
        "../../scripts/features_normalisation.py"
