"""What goes on around the steps of a run: who lives in a folder, what a killed run left, what the terminal shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jetlens.running import living, parent

if TYPE_CHECKING:
    from jetlens.running.terminal import Terminal


def begin(workflow: Any, snakefiles: tuple[Path, ...]) -> Terminal | None:
    """Set up the terminal of a run, and let steps know which Snakemake they belong to.

    Args:
        workflow: Snakemake's.
        snakefiles: ours; as a module of another workflow, the terminal is left to that one.

    Returns:
        What shows the run; None where Snakemake's own output is asked for (dry runs, ``--verbose``, ``--quiet``).
    """
    from snakemake.logging import logger

    from jetlens.running.terminal import Brief, take_over

    parent.announce()
    if not is_ours(workflow, snakefiles):
        return None
    settings = workflow.output_settings
    asked = {str(word.value) for word in settings.quiet or ()} & {"all", "rules", "progress"}
    if settings.dryrun or settings.verbose or settings.printshellcmds or settings.debug_dag or asked:
        for handler in logger.handlers:
            handler.addFilter(Brief())
        return None
    folder = Path.cwd()
    return take_over(logger, living.progress_folder(folder), lambda: living.in_the_way(folder))


def lift_rate_limit(workflow: Any) -> None:
    """Let a run on this machine start its steps without Snakemake's limit of 100 per second.

    For that limit Snakemake wakes up once a second for every step that has ended so far (its issue 2967): after 200
    steps it takes half a core from those that run. A limit that was asked for, and those of clusters, stay.
    """
    from snakemake.settings.types import MaxJobsPerTimespan

    limit = workflow.scheduling_settings.max_jobs_per_timespan
    default = MaxJobsPerTimespan.parse_choice("100/1s")
    if workflow.local_exec and limit and vars(limit) == vars(default):
        workflow.scheduler.job_rate_limiter = None


def is_ours(workflow: Any, snakefiles: tuple[Path, ...]) -> bool:
    """Tell whether this process manages a run of one of our own Snakefiles."""
    return bool(workflow.is_main_process) and Path(workflow.main_snakefile).resolve() in snakefiles


def recover(workflow: Any, snakefiles: tuple[Path, ...], results: str) -> str | None:
    """Make way for a run where another was killed.

    Args:
        workflow: Snakemake's.
        snakefiles: ours.
        results: the folder of the analysis.

    Returns:
        A line to show, if something was cleared.
    """
    if workflow.output_settings.dryrun or not is_ours(workflow, snakefiles):
        return None
    try:
        killed = living.recover(Path.cwd(), Path(results))
    except OSError:  # a folder that is only read cannot have been locked
        return None
    return f"jetlens: a run was killed here ({killed}); going on where it stopped" if killed else None


def clear_unfinished(results: str) -> None:
    """Remove what killed steps were writing, unless somebody else writes here too."""
    if not any(record.lives for record in living.others(Path.cwd())):
        living.clear_unfinished(Path(results))
