# The workflow itself is workflow/Snakefile, where the Snakemake catalogue and `module:` look for it;
# this file makes a plain `snakemake --cores N` at the top of the repository work.
include: "workflow/Snakefile"


rule analysis:
    default_target: True
    input:
        rules.all.input,
    message:
        "All results"
