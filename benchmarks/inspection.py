"""What ``jetlens inspect`` says of files of any kind, and whether what it proposes reads them.

    python benchmarks/inspection.py FILE ...

One line per file: what it is, and how many events its proposed ``reading:`` section read; or the one line that says why
it cannot be used. The program fails if a file crashes it, or if a proposal does not read the whole file.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections import Counter
from pathlib import Path

from jetlens.config.reading import ReadingConfig
from jetlens.errors import JetlensError, JetlensWarning
from jetlens.events.inspect import FileSummary, inspect_file


def read(path: str, summary: FileSummary) -> str:
    """Read a file as it is proposed."""
    if not summary.reading and summary.schema is None:
        return "nothing proposed"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", JetlensWarning)
        with ReadingConfig.model_validate(summary.reading or {"format": summary.schema}).open(path) as file:
            number = sum(len(events) for events in file)
            found = ", ".join(file.objects)
    return f"{'read' if number == summary.events else 'LOST'} {number} of {summary.events} events: {found}"


def main() -> None:
    """Inspect and read all files."""
    counts: Counter[str] = Counter()
    for path in sys.argv[1:]:
        if not Path(path).is_file():
            continue
        begin, kind = time.perf_counter(), "refused"
        try:
            summary = inspect_file(path)
            kind = summary.format
            text = read(path, summary)
        except JetlensError as error:
            text = str(error).removeprefix(f"{path}: ") if kind == "refused" else f"LOST: {error}"
        except Exception as error:
            text = f"CRASHED: {type(error).__name__}: {error}"
        failed = next((word for word in ("CRASHED", "LOST") if text.startswith(word)), kind)
        counts[failed] += 1
        print(f"{Path(path).name}: {kind}; {text} ({time.perf_counter() - begin:.1f} s)")
    print(", ".join(f"{number} {what}" for what, number in counts.most_common()))
    if counts["CRASHED"] or counts["LOST"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
