import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# the library need not be installed: it lies beside the workflow
WORKFLOW = Path(str(workflow.current_basedir)).parent
LIBRARY = WORKFLOW.parent / "src"
if LIBRARY.is_dir() and str(LIBRARY) not in sys.path:
    sys.path.insert(0, str(LIBRARY))

from jetlens.config.load import read_yaml
from jetlens.errors import JetlensError
from jetlens.running import begin, clear_unfinished, lift_rate_limit, recover

OWN = ((WORKFLOW / "Snakefile").resolve(), (WORKFLOW.parent / "Snakefile").resolve())
screen = begin(workflow, OWN)


def say(text):
    """Write to the terminal, above what is shown there of running steps."""
    if screen is None:
        print(text, file=sys.stderr)
    else:
        screen.write(text)


def checked(function, *arguments):
    """Call the library; an error meant for the user ends Snakemake as its lines."""
    try:
        return function(*arguments)
    except JetlensError as error:
        raise WorkflowError(f"jetlens: {error}") from None


# Snakemake would say neither where nor what is wrong
if (
    Path(workflow.main_snakefile).resolve() in OWN
    and not workflow.overwrite_configfiles
    and Path("config/config.yaml").exists()
):
    checked(read_yaml, "config/config.yaml")
