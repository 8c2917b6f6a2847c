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
