from jetlens.report.content import contents


rule manifest:
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
    log:
        f"{LOGS}/manifest.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        config=analysis.model_dump(mode="json"),
        benchmarks=BENCHMARKS,
    message:
        "Manifest of the run"
    script:
        "../../scripts/manifest.py"


rule page:
    input:
        report_targets(),
        manifest=f"{RESULTS}/manifest.json",
    output:
        f"{RESULTS}/index.html",
    log:
        f"{LOGS}/page.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        shown=contents(analysis, table),
        captions=str(WORKFLOW / "report"),
    message:
        "The page of results"
    script:
        "../../scripts/report_page.py"


rule html_report:
    input:
        report_targets(),
        f"{RESULTS}/manifest.json",
    output:
        f"{RESULTS}/report.html",
    log:
        f"{LOGS}/report.log",
    localrule: True
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        config=config,
        snakefile=str(WORKFLOW / "Snakefile"),
    message:
        "HTML report"
    script:
        "../../scripts/report.py"
