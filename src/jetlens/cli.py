"""The command line, a thin layer over the library: ``jetlens inspect``, ``check``, ``run``, ``score``."""

from __future__ import annotations

import itertools
import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jetlens.errors import ConfigError, FileError, JetlensError

if TYPE_CHECKING:
    from jetlens.events.inspect import FileSummary

app = typer.Typer(
    help="Collider analyses from Delphes files to figures.", no_args_is_help=True, add_completion=False
)
OUT = Console()
ERR = Console(stderr=True)
DEFAULT = Path("config/config.yaml")


@contextmanager
def _for_users() -> Iterator[None]:
    """End errors meant for the user as one line and exit code 1."""
    try:
        yield
    except JetlensError as error:
        ERR.print(f"jetlens: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


@app.callback()
def _root() -> None:
    """Collider analyses from Delphes files to figures."""


@app.command()
def check(
    config: Annotated[
        list[Path] | None,
        typer.Argument(
            help="configuration file; several: each on top of those before it", show_default=str(DEFAULT)
        ),
    ] = None,
    files: Annotated[
        bool, typer.Option("--files", help="open the event files too: is what is asked for in them?")
    ] = False,
) -> None:
    """Check a configuration and its sample table without running anything."""
    with _for_users():
        OUT.print(_checked(config or [DEFAULT], files), soft_wrap=True)


def _checked(config: Sequence[Path], opened: bool = False) -> str:
    """Check all that can be known before a run, and say what was found."""
    from jetlens.config.load import load
    from jetlens.config.preflight import preflight
    from jetlens.config.samples import read_samples

    analysis = load(*config)
    samples = read_samples(analysis.samples)
    preflight(analysis, samples, sources=config)
    files = sum(len(sample.files) for sample in samples.values())
    remarks = []
    if opened:
        from jetlens.config.filecheck import check_files

        remarks = check_files(analysis, samples)
    valid = (
        f"{' with '.join(map(str, config))} is valid: analysis '{analysis.analysis}', "
        f"{len(samples)} samples, {files} files{', which hold what is asked for' if opened else ''}, "
        f"variants {', '.join(analysis.training.variants)}"
    )
    return "\n".join([*remarks, valid])


@app.command(context_settings={"ignore_unknown_options": True})
def run(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CONFIG]... [OPTIONS]",
            help="configuration files, each on top of those before it; then options of Snakemake",
            show_default=str(DEFAULT),
        ),
    ] = None,
) -> None:
    """Check a configuration, then run its analysis: snakemake --configfile CONFIG, with all further options given."""
    given = words or []
    files = list(itertools.takewhile(lambda word: not word.startswith("-"), given))
    configs = files or [str(DEFAULT)]
    with _for_users():
        _checked(list(map(Path, configs)))
        if not Path("Snakefile").is_file():
            raise ConfigError("no Snakefile here; run this at the top of the jetlens repository")
    words = ["--configfile", *configs, *given[len(files) :]]
    if not {word.partition("=")[0] for word in words} & {
        "--cores",
        "-c",
        "--workflow-profile",
        "--profile",
        "--jobs",
    }:
        words += ["--cores", str(os.cpu_count() or 1)]
    os.execv(sys.executable, [sys.executable, "-m", "snakemake", *words])


@app.command()
def inspect(
    file: Annotated[
        str, typer.Argument(help="a ROOT, parquet, HDF5, npz or npy file, or the URL of a ROOT file")
    ],
    tree: Annotated[str | None, typer.Option(help="tree, group or table, where there are several")] = None,
    write: Annotated[
        Path | None,
        typer.Option(help="write the reading section here, and a schema beside it where one is needed"),
    ] = None,
) -> None:
    """Show what is in an event file: collections, constituents and whether they match, a configuration for it."""
    from jetlens.events.inspect import inspect_file

    with _for_users():
        for path in (write, write.with_suffix(".schema.yaml")) if write else ():
            if path.exists():
                raise FileError(f"{path}: is there already; give --write another name")
        summary = inspect_file(file, tree)
    _show(summary)
    reading = dict(summary.reading)
    if not reading and summary.schema is None:
        if write is not None:
            raise typer.Exit(1)
        return
    if summary.schema is not None:
        reading = {"format": str(write.with_suffix(".schema.yaml")) if write else summary.schema}
    OUT.print("\na configuration for this file:", style="bold")
    text = yaml.safe_dump({"reading": reading}, sort_keys=False, allow_unicode=True)
    OUT.print(text, markup=False, highlight=False, soft_wrap=True)
    if write is None:
        return
    from jetlens.files import write_text

    write_text(write, text)
    if summary.schema is not None:
        content = yaml.safe_dump(summary.schema, sort_keys=False, allow_unicode=True)
        write_text(write.with_suffix(".schema.yaml"), content)


def _show(summary: FileSummary) -> None:
    """Print what a file holds; names are never cut."""

    def say(text: str, **style: Any) -> None:
        OUT.print(text, highlight=False, soft_wrap=True, **style)

    say(
        f"[bold]{escape(summary.path)}[/]: {escape(summary.format)}"
        + (f", tree {escape(summary.tree)}" if summary.tree else "")
        + f", {summary.events} events"
        + (f"; the first {summary.looked_at} looked at" if summary.looked_at < summary.events else "")
    )
    if summary.collections:
        table = _collections(summary)
        needed = OUT.measure(table, options=OUT.options.update(max_width=10_000)).maximum
        Console(width=max(OUT.width, needed)).print(table)  # a terminal may wrap lines; names stay whole
    elif summary.format in ("delphes", "nanoaod"):
        say("no collection of jets")
    for jets in summary.collections:
        if jets.problem:
            say(f"{jets.name}: {jets.problem}", style="yellow", markup=False)
    if summary.sizes:
        say("objects per event: " + ", ".join(f"{name} {mean:.2f}" for name, mean in summary.sizes.items()))
    for what, convention in summary.assumed.items():
        say(f"{what}: {convention}", markup=False)
    if summary.format == "unknown":
        say(f"columns: {', '.join(summary.columns)}", markup=False)
        if summary.schema is None:
            say(
                "no momenta were recognised in these names: describe them in a schema, see docs/ntuples.md",
                markup=False,
            )


def _collections(summary: FileSummary) -> Table:
    table = Table(box=box.SIMPLE)
    for title in ("jets", "number", "constituents in", "references", "matched", "|ΔpT|/pT"):
        table.add_column(title, no_wrap=True)
    for jets in summary.collections:
        followed = bool(jets.references)
        table.add_row(
            jets.name,
            str(jets.jets),
            "\n".join(jets.constituents) or "–",
            str(jets.references) if followed else "–",
            f"{100 * jets.match_rate:.4g} %" if followed else "–",
            f"{jets.closure:.1e}" if math.isfinite(jets.closure) else "–",
        )
    table.caption = "|ΔpT|/pT: median of jets against the sums of their constituents"
    return table


@app.command()
def score(
    model: Annotated[
        Path, typer.Argument(help="training/<variant>/seed<k>, or training/<variant>: the mean of its models")
    ],
    files: Annotated[list[str], typer.Argument(help="event files, or their URLs")],
    output: Annotated[Path, typer.Option("--output", "-o", help="the .npz to write")] = Path("scores.npz"),
    threads: Annotated[int, typer.Option(min=1, help="threads of the back end")] = 1,
    mass: Annotated[
        list[float] | None,
        typer.Option(
            min=1.0, help="mass hypothesis [GeV], for models that read it; several: --mass 800 --mass 1000"
        ),
    ] = None,
) -> None:
    """Apply trained models to new files, with the selection and features they were trained with."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from jetlens.trained.scoring import score as score_files

    with _for_users():
        events = score_files(model, files, output, threads=threads, mass=mass)
        OUT.print(f"{events} selected events of {len(files)} files scored: {output}", highlight=False)


if __name__ == "__main__":
    app()
