"""Rule ``html_report``: Snakemake's own report of the finished workflow."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.errors import JetlensError
    from jetlens.files import atomic_path

    with tempfile.TemporaryDirectory() as folder, atomic_path(snakemake.output[0]) as temporary:
        # the configuration as this run sees it, whatever files and --config options it came from
        configuration = Path(folder) / "config.json"
        configuration.write_text(json.dumps(snakemake.params.config), encoding="utf-8")
        command = [sys.executable, "-m", "snakemake", "--snakefile", snakemake.params.snakefile]
        command += ["--configfile", str(configuration), "--cores", "1", "--nolock", "--quiet"]
        command += ["--config", "take_over=true"]  # it is this run's own configuration, in another file
        finished = subprocess.run([*command, "--report", str(temporary), "--", *snakemake.input], check=False)
        if finished.returncode:
            raise JetlensError(
                f"the report could not be made (exit {finished.returncode}); see {snakemake.log[0]}"
            )
