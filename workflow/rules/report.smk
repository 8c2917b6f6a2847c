rule manifest:
    message:
        "Manifest of the run"
    input:
        results=report_targets(),
        samples=analysis.samples,
        sources=local_sources(),
    output:
        report(
            f"{RESULTS}/manifest.json",
            caption="../report/manifest.rst",
            category="Provenance",
            labels={"content": "versions, configuration, checksums", "type": "JSON"},
        ),
    params:
        config=analysis.model_dump(mode="json"),
        benchmarks=BENCHMARKS,
    log:
        f"{LOGS}/manifest.log",
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/jetlens.yaml"
    script:
        "../../scripts/manifest.py"


rule html_report:
    message:
        "HTML report"
    input:
        report_targets(),
        f"{RESULTS}/manifest.json",
    output:
        f"{RESULTS}/report.html",
    params:
        config=config,
        snakefile=str(workflow.main_snakefile),
    log:
        f"{LOGS}/report.log",
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    localrule: True
    script:
        "../../scripts/report.py"
