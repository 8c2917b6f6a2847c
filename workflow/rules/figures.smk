rule figure_kinematics:
    input:
        skims=all_skims(),
        features=all_features(),
    output:
        csv=f"{RESULTS}/figures/kinematics/{{quantity}}.csv",
        figure=drawn(
            "kinematics/{quantity}",
            caption="../report/kinematics.rst",
            category="Selection",
            labels={"content": "{quantity}", "type": "figure"},
        ),
    log:
        f"{LOGS}/figures/kinematics/{{quantity}}.log",
    wildcard_constraints:
        quantity="|".join(analysis.figures.kinematics) or "none",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        figures=figure_style,
        histogram=lambda wildcards: section("figures")["kinematics"][wildcards.quantity],
        luminosity_fb=analysis.luminosity_fb,
    message:
        "Figure: {wildcards.quantity} after selection"
    script:
        "../../scripts/figures_kinematics.py"


rule figure_cutflow:
    input:
        f"{RESULTS}/skim/cutflow.csv",
    output:
        csv=f"{RESULTS}/figures/cutflow.csv",
        figure=drawn(
            "cutflow",
            caption="../report/cutflow_figure.rst",
            category="Selection",
            labels={"content": "cutflow", "type": "figure"},
        ),
    log:
        f"{LOGS}/figures/cutflow.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        figures=figure_style,
        signals=[name for name, row in samples.items() if row.role == "signal"],
        luminosity_fb=analysis.luminosity_fb,
    message:
        "Figure: cutflow"
    script:
        "../../scripts/figures_cutflow.py"


rule figure_jet_images:
    input:
        all_features(),
    output:
        csv=f"{RESULTS}/figures/jet_images.csv",
        figure=drawn(
            "jet_images",
            caption="../report/jet_images.rst",
            category="Selection",
            labels={"content": "jet images", "type": "figure"},
        ),
    log:
        f"{LOGS}/figures/jet_images.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        figures=figure_style,
    message:
        "Figure: average jet images"
    script:
        "../../scripts/figures_jet_images.py"


rule figure_training:
    input:
        histories=lambda wildcards: trained(
            wildcards.variant, "history.csv", rotations=1
        ),
    output:
        csv=f"{RESULTS}/figures/training/{{variant}}.csv",
        figure=drawn(
            "training/{variant}",
            caption="../report/training.rst",
            category="Classifiers",
            labels={"content": "training of {variant}", "type": "figure"},
        ),
    log:
        f"{LOGS}/figures/training/{{variant}}.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        figures=figure_style,
    message:
        "Figure: training of {wildcards.variant}"
    script:
        "../../scripts/figures_training.py"


rule figure_roc:
    input:
        evaluations(),
    output:
        csv=f"{RESULTS}/figures/roc.csv",
        figure=drawn(
            "roc",
            caption="../report/roc.rst",
            category="Classifiers",
            labels={"content": "ROC of all variants", "type": "figure"},
        ),
    log:
        f"{LOGS}/figures/roc.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        figures=figure_style,
        folders=[f"{RESULTS}/evaluation/{variant}" for variant in VARIANTS],
    message:
        "Figure: ROC of all variants"
    script:
        "../../scripts/figures_roc.py"


rule figure_rejection:
    input:
        evaluations(),
    output:
        csv=f"{RESULTS}/figures/rejection.csv",
        figure=drawn(
            "rejection",
            caption="../report/rejection.rst",
            category="Classifiers",
            labels={"content": "background rejection", "type": "figure"},
        ),
    log:
        f"{LOGS}/figures/rejection.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        figures=figure_style,
        folders=[f"{RESULTS}/evaluation/{variant}" for variant in VARIANTS],
    message:
        "Figure: background rejection of all variants"
    script:
        "../../scripts/figures_rejection.py"


rule figure_scores:
    input:
        scores=f"{RESULTS}/evaluation/{{variant}}/scores.npz",
        applied=lambda wildcards: sum(applied()[wildcards.variant].values(), []),
    output:
        csv=f"{RESULTS}/figures/scores/{{variant}}.csv",
        figure=drawn(
            "scores/{variant}",
            caption="../report/scores.rst",
            category="Classifiers",
            labels={"content": "output of {variant}", "type": "figure"},
        ),
    log:
        f"{LOGS}/figures/scores/{{variant}}.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        figures=figure_style,
        applied=lambda wildcards: applied()[wildcards.variant],
        processes={name: sample.process for name, sample in applications.items()},
    message:
        "Figure: output of {wildcards.variant}"
    script:
        "../../scripts/figures_scores.py"


rule figure_attention:
    input:
        f"{RESULTS}/explanation/{{variant}}/attention.npz",
    output:
        csv=f"{RESULTS}/figures/attention/{{variant}}.csv",
        figure=drawn(
            "attention/{variant}",
            caption="../report/attention.rst",
            category="Explanation",
            labels={"content": "attention of {variant}", "type": "figure"},
        ),
    log:
        f"{LOGS}/figures/attention/{{variant}}.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        figures=figure_style,
    message:
        "Figure: attention of {wildcards.variant}"
    script:
        "../../scripts/figures_attention.py"


rule figure_gradcam:
    input:
        f"{RESULTS}/explanation/{{variant}}/gradcam.npz",
    output:
        csv=f"{RESULTS}/figures/gradcam/{{variant}}.csv",
        figure=drawn(
            "gradcam/{variant}",
            caption="../report/gradcam.rst",
            category="Explanation",
            labels={"content": "Grad-CAM of {variant}", "type": "figure"},
        ),
    log:
        f"{LOGS}/figures/gradcam/{{variant}}.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        figures=figure_style,
    message:
        "Figure: Grad-CAM of {wildcards.variant}"
    script:
        "../../scripts/figures_gradcam.py"


rule figure_faithfulness:
    input:
        f"{RESULTS}/explanation/{{variant}}/faithfulness.json",
    output:
        csv=f"{RESULTS}/figures/faithfulness/{{variant}}.csv",
        figure=drawn(
            "faithfulness/{variant}",
            caption="../report/faithfulness.rst",
            category="Explanation",
            labels={"content": "faithfulness, {variant}", "type": "figure"},
        ),
    log:
        f"{LOGS}/figures/faithfulness/{{variant}}.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        figures=figure_style,
    message:
        "Figure: faithfulness of the explanation of {wildcards.variant}"
    script:
        "../../scripts/figures_faithfulness.py"


rule figure_attention_matrices:
    input:
        f"{RESULTS}/explanation/{{variant}}/attention.npz",
    output:
        csv=f"{RESULTS}/figures/attention_matrices/{{variant}}.csv",
        figure=drawn(
            "attention_matrices/{variant}",
            caption="../report/attention_matrices.rst",
            category="Explanation",
            labels={"content": "attention by head, {variant}", "type": "figure"},
        ),
    log:
        f"{LOGS}/figures/attention_matrices/{{variant}}.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        figures=figure_style,
    message:
        "Figure: attention of each head of {wildcards.variant}"
    script:
        "../../scripts/figures_attention_matrices.py"


rule figure_single_events:
    input:
        f"{RESULTS}/explanation/{{variant}}/gradcam.npz",
    output:
        csv=f"{RESULTS}/figures/single_events/{{variant}}.csv",
        figure=drawn(
            "single_events/{variant}",
            caption="../report/single_events.rst",
            category="Explanation",
            labels={"content": "single events, {variant}", "type": "figure"},
        ),
    log:
        f"{LOGS}/figures/single_events/{{variant}}.log",
    conda:
        "../../envs/jetlens.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        figures=figure_style,
    message:
        "Figure: single events, {wildcards.variant}"
    script:
        "../../scripts/figures_single_events.py"
