"""The command line: ``jetlens check`` (and more commands, each a thin layer over the library)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from jetlens.errors import JetlensError

app = typer.Typer(
    help="Collider analyses from Delphes files to figures.", no_args_is_help=True, add_completion=False
)
OUT = Console()
ERR = Console(stderr=True)


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
    config: Annotated[Path, typer.Argument(help="configuration file")] = Path("config/config.yaml"),
) -> None:
    """Check a configuration and its sample table without running anything."""
    from jetlens.config.load import load
    from jetlens.config.samples import read_samples

    with _for_users():
        analysis = load(config)
        samples = read_samples(analysis.samples)
        files = sum(len(sample.files) for sample in samples.values())
        OUT.print(
            f"{config} is valid: analysis '{analysis.analysis}', {len(samples)} samples, {files} files, "
            f"variants {', '.join(analysis.training.variants)}"
        )


if __name__ == "__main__":
    app()
