rule significance:
    input:
        evaluations("scores.npz"),
    output:
        report(
            f"{RESULTS}/inference/significance.csv",
            caption="../report/significance.rst",
            category="Inference",
            labels={"content": "yields and significance", "type": "table"},
        ),
    log:
        f"{LOGS}/inference/significance.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=settings_of("significance"),
    message:
        "Expected yields and significance"
    script:
        "../../scripts/inference_significance.py"


# of all samples together: where one has few objects of a kind, the others say what becomes of them
rule tag_efficiency:
    input:
        scored_parts(f"{RESULTS}/skim/{{sample}}/{{part}}.parquet"),
    output:
        f"{RESULTS}/inference/tag_efficiency.json",
    log:
        f"{LOGS}/inference/tag_efficiency.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings_of("tag_efficiency"),
    message:
        "Efficiencies of tags"
    script:
        "../../scripts/inference_tag_efficiency.py"


rule tag_patterns:
    input:
        skim=f"{RESULTS}/skim/{{sample}}{{move}}/{{part}}.parquet",
        efficiency=efficiencies(),
    output:
        f"{RESULTS}/skim/{{sample}}{{move}}@tags/{{part}}.parquet",
    log:
        f"{LOGS}/skim/{{sample}}{{move}}@tags/{{part}}.log",
    benchmark:
        f"{BENCHMARKS}/skim/{{sample}}{{move}}@tags/{{part}}.tsv"
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings_of("tag_patterns"),
    message:
        "Drawing tags of {wildcards.sample}{wildcards.move}, {wildcards.part}"
    script:
        "../../scripts/inference_tag_patterns.py"


rule tag_closure:
    input:
        direct=scored_parts(f"{RESULTS}/skim/{{sample}}/{{part}}.parquet"),
        drawn=scored_parts(f"{RESULTS}/skim/{{sample}}/{{part}}.parquet", "@tags"),
        efficiency=efficiencies(),
        normalisation=NORMALISATION,
    output:
        f"{RESULTS}/inference/tag_closure.csv",
    log:
        f"{LOGS}/inference/tag_closure.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings_of("tag_closure"),
    message:
        "Closure of tag weights"
    script:
        "../../scripts/inference_tag_closure.py"


# one job per variant: what takes longest is to start a back end
rule score_events:
    input:
        models=lambda wildcards: models_of(wildcards.variant),
        manifests=lambda wildcards: trained(wildcards.variant, "manifest.json"),
        scores=f"{RESULTS}/evaluation/{{variant}}/scores.npz",
        events=scored_parts(f"{RESULTS}/features/{{sample}}/{{part}}/event.npz", DRAWN),
        skims=scored_parts(f"{RESULTS}/skim/{{sample}}/{{part}}.parquet", DRAWN),
        streams=scored_streams,
    output:
        [f"{RESULTS}/inference/events/{{variant}}/{name}.parquet" for name in SCORED],
    log:
        f"{LOGS}/inference/events/{{variant}}.log",
    benchmark:
        f"{BENCHMARKS}/inference/events/{{variant}}.tsv"
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        settings=settings_of("score_events"),
    message:
        "Scoring the fitted events with {wildcards.variant}"
    script:
        "../../scripts/inference_events.py"


# a job per variation: what an edit of one asks for is that one alone
for variation in SIDES:

    rule:
        name:
            f"score_varied_{variation}"
        input:
            models=lambda wildcards: models_of(wildcards.variant),
            manifests=lambda wildcards: trained(wildcards.variant, "manifest.json"),
            scores=f"{RESULTS}/evaluation/{{variant}}/scores.npz",
            events=varied_parts(
                f"{RESULTS}/features/{{sample}}/{{part}}/event.npz", variation
            ),
            skims=varied_parts(f"{RESULTS}/skim/{{sample}}/{{part}}.parquet", variation),
            streams=lambda wildcards, name=variation: [
                file
                for stream in stream_names(analysis.models[wildcards.variant])
                for file in varied_parts(
                    f"{RESULTS}/features/{{sample}}/{{part}}/{stream}.npz", name
                )
            ],
        output:
            [
                f"{RESULTS}/inference/events/{{variant}}/{name}.parquet"
                for name in varied_names(variation)
            ],
        log:
            f"{LOGS}/inference/events/{{variant}}@{variation}.log",
        benchmark:
            f"{BENCHMARKS}/inference/events/{{variant}}@{variation}.tsv"
        conda:
            "../../envs/jetlens.yaml"
        threads: 1
        resources:
            mem_mb=2000,
            runtime=60,
        params:
            settings=settings_of("score_varied"),
        message:
            "Scoring a variation with {wildcards.variant}"
        script:
            "../../scripts/inference_events.py"


rule score_data:
    input:
        models=lambda wildcards: models_of(wildcards.variant),
        manifests=lambda wildcards: trained(wildcards.variant, "manifest.json"),
        scores=f"{RESULTS}/evaluation/{{variant}}/scores.npz",
        sources=lambda wildcards: [
            file for file in table[wildcards.sample].files.values() if not is_url(file)
        ],
    output:
        f"{RESULTS}/inference/events/{{variant}}/{{sample}}.parquet",
    log:
        f"{LOGS}/inference/events/{{variant}}/{{sample}}.log",
    benchmark:
        f"{BENCHMARKS}/inference/events/{{variant}}/{{sample}}.tsv"
    wildcard_constraints:
        sample="|".join(map(re.escape, analysis.inference.data)) or "none",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=int(2000 + 1000 * analysis.reading.memory_gb),
        runtime=60,
    params:
        settings=settings_of("score_data"),
    message:
        "Scoring {wildcards.sample} with {wildcards.variant}"
    script:
        "../../scripts/inference_data.py"


rule weigh:
    input:
        events=lambda wildcards: weighed_parts(
            f"{RESULTS}/features/{{sample}}/{{part}}/event.npz", wildcards.variation
        ),
        skims=lambda wildcards: weighed_parts(
            f"{RESULTS}/skim/{{sample}}/{{part}}.parquet", wildcards.variation
        ),
    output:
        f"{RESULTS}/inference/weights/{{variation}}.parquet",
    log:
        f"{LOGS}/inference/weights/{{variation}}.log",
    benchmark:
        f"{BENCHMARKS}/inference/weights/{{variation}}.tsv"
    wildcard_constraints:
        variation="|".join(WEIGHED) or "none",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings_of("weigh"),
    message:
        "Weights under {wildcards.variation}"
    script:
        "../../scripts/inference_weights.py"


rule templates:
    input:
        selected=lambda wildcards: selected(wildcards.variant),
        varied=lambda wildcards: varied_events(wildcards.variant),
        weights=[f"{RESULTS}/inference/weights/{name}.parquet" for name in WEIGHED],
        data=lambda wildcards: unblinded(wildcards.variant),
        events=scored_parts(f"{RESULTS}/features/{{sample}}/{{part}}/event.npz"),
        normalisation=NORMALISATION,
    output:
        templates=f"{RESULTS}/inference/{{variant}}/templates.json",
        workspace=f"{RESULTS}/inference/{{variant}}/workspace.json",
        background=f"{RESULTS}/inference/{{variant}}/background.json",
        patchset=f"{RESULTS}/inference/{{variant}}/patchset.json",
        hypotheses=f"{RESULTS}/inference/{{variant}}/hypotheses.json",
        tables=[
            f"{RESULTS}/inference/{{variant}}/{name}.csv"
            for name in (
                "bins",
                "categories",
                "systematics",
                "closure",
                "variations",
                "resampled",
            )
        ],
    log:
        f"{LOGS}/inference/{{variant}}/templates.log",
    benchmark:
        f"{BENCHMARKS}/inference/{{variant}}/templates.tsv"
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        settings=settings_of("templates"),
    message:
        "Templates of {wildcards.variant}"
    script:
        "../../scripts/inference_templates.py"


rule sculpting:
    input:
        selected=[
            file for name in analysis.inference.variants for file in selected(name)
        ],
        events=scored_parts(f"{RESULTS}/features/{{sample}}/{{part}}/event.npz"),
        normalisation=NORMALISATION,
    output:
        f"{RESULTS}/inference/sculpting.csv",
    log:
        f"{LOGS}/inference/sculpting.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        settings=settings_of("sculpting"),
    message:
        "How cuts shape the backgrounds"
    script:
        "../../scripts/inference_sculpting.py"


rule limit:
    input:
        hypotheses=f"{RESULTS}/inference/{{variant}}/hypotheses.json",
        templates=f"{RESULTS}/inference/{{variant}}/templates.json",
        background=f"{RESULTS}/inference/{{variant}}/background.json",
        patchset=f"{RESULTS}/inference/{{variant}}/patchset.json",
    output:
        limit=f"{RESULTS}/inference/{{variant}}/{{mass}}/limit.json",
        tables=[
            f"{RESULTS}/inference/{{variant}}/{{mass}}/{name}.csv"
            for name in ("pulls", "correlations", "yields", "postfit")
        ],
    log:
        f"{LOGS}/inference/{{variant}}/{{mass}}.log",
    benchmark:
        f"{BENCHMARKS}/inference/{{variant}}/{{mass}}.tsv"
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=120,
    params:
        settings=settings_of("limit"),
    message:
        "Limit of {wildcards.variant} at {wildcards.mass} GeV"
    script:
        "../../scripts/inference_limit.py"


rule limits:
    input:
        limit=inferred("limit.json"),
        yields=inferred("yields.csv"),
        resampled=[
            f"{RESULTS}/inference/{variant}/resampled.csv"
            for variant in analysis.inference.variants
        ],
    output:
        limits=report(
            f"{RESULTS}/inference/limits.csv",
            caption="../report/limits.rst",
            category="Inference",
            labels={"content": "limits", "type": "table"},
        ),
        yields=report(
            f"{RESULTS}/inference/yields.csv",
            caption="../report/yields.rst",
            category="Inference",
            labels={"content": "yields", "type": "table"},
        ),
        breakdown=report(
            f"{RESULTS}/inference/limits_breakdown.csv",
            caption="../report/limits_breakdown.rst",
            category="Inference",
            labels={"content": "limits by uncertainties", "type": "table"},
        ),
        latex=f"{RESULTS}/inference/yields.tex",
        luminosity=f"{RESULTS}/inference/luminosity.csv",
        # the record's other files lie beside it
        record=f"{RESULTS}/inference/hepdata/submission.yaml",
    log:
        f"{LOGS}/inference/limits.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=settings_of("limits"),
    message:
        "Limits and yields of all variants"
    script:
        "../../scripts/inference_limits.py"
