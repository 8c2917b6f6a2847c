"""What happens to damaged files: 200 corrupted copies of a demo file, each read to the end.

    python benchmarks/corruption.py [--copies 200] [--file FILE] [--verbose]

Copy k is made with seed k: one byte flipped, several flipped, a block of zeros, a block of noise, or a truncation. It
is read in a process of its own, with a time limit, and everything read is compared with the intact file:

* error: one clear line (jetlens.FileError);
* intact: every number that is read equals the original (the damage is where nothing is read);
* silent: other numbers without an error;
* crash, hang: any other exception, or no end within the limit. There must be none.

ROOT's ZSTD baskets have no checksum: a flipped bit in them can change a number that nothing else in the file tells
about. So all copies are read twice, without and with a file ``SHA256SUMS`` beside them; with it, nothing may be silent.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from jetlens.config.reading import ReadingConfig
from jetlens.errors import FileError
from jetlens.events.integrity import CHECKSUMS, verify_checksum

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 60.0
KINDS = ("one byte", "several bytes", "zeros", "noise", "truncation")


def damage(content: bytes, seed: int) -> tuple[str, bytes]:
    """Return the kind of damage and the damaged content."""
    rng = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    raw = np.frombuffer(content, dtype=np.uint8).copy()
    if kind == "truncation":
        return kind, content[: int(rng.integers(1, len(content)))]
    if kind in ("one byte", "several bytes"):
        at = rng.integers(0, len(raw), size=1 if kind == "one byte" else int(rng.integers(2, 30)))
        raw[at] ^= rng.integers(1, 256, size=len(at)).astype(np.uint8)
    else:
        size = int(2 ** rng.uniform(3, 14))
        at = int(rng.integers(0, len(raw) - size))
        raw[at : at + size] = 0 if kind == "zeros" else rng.integers(0, 256, size=size)
    return kind, raw.tobytes()


def read(path: str) -> dict[str, np.ndarray]:
    """Everything this project reads from a file, as flat arrays."""
    columns: dict[str, list[np.ndarray]] = {}
    with ReadingConfig().open(path) as file:
        for events in file:
            for name, values in flattened(events):
                columns.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in columns.items()}


def flattened(events: Any, prefix: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """All numbers and counts of events, by dotted name."""
    if events.ndim > 1:
        yield f"{prefix}counts", np.asarray(ak.num(events))
        yield from flattened(ak.flatten(events), prefix)
        return
    for name in events.fields:
        if events[name].fields or events[name].ndim > 1:
            yield from flattened(events[name], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", np.asarray(events[name])


def attempt(path: str, intact: dict[str, np.ndarray], answer: Connection) -> None:
    """Read one copy and send back what happened."""
    try:
        verify_checksum(path)
        found = read(path)
    except FileError as error:
        text = str(error)
        answer.send(
            ("crash", text) if "\n" in text or path not in text else ("error", text.replace(path, "FILE"))
        )
    except BaseException as error:
        answer.send(("crash", f"{type(error).__name__}: {error}"))
    else:
        changed = [name for name in intact if not np.array_equal(intact[name], found.get(name))]
        answer.send(("silent", ", ".join(changed)) if changed else ("intact", ""))


def outcome(path: str, intact: dict[str, np.ndarray]) -> tuple[str, str]:
    """Read one copy in a child process, with a time limit."""
    receive, send = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.Process(target=attempt, args=(path, intact, send))
    child.start()
    send.close()
    result = ("hang", f"no end after {LIMIT:.0f} s")
    if receive.poll(LIMIT):
        try:
            result = receive.recv()
        except EOFError:
            result = ("crash", "the process died")
    child.kill()
    child.join()
    return result


def main() -> None:
    """Run all copies and print what became of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--file", default=str(ROOT / "resources" / "demo" / "ttbar_had.root"))
    parser.add_argument("--copies", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="seed of the first copy")
    parser.add_argument("--verbose", action="store_true", help="list every copy")
    options = parser.parse_args()
    multiprocessing.set_start_method("fork")
    content, intact = Path(options.file).read_bytes(), read(options.file)
    listed = hashlib.sha256(content).hexdigest()
    bad = 0
    for checksums in (False, True):
        counts: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
        begin = time.perf_counter()
        print(f"{'with' if checksums else 'without'} SHA256SUMS beside the file")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "damaged.root"
            if checksums:
                (path.parent / CHECKSUMS).write_text(f"{listed}  {path.name}\n")
            for seed in range(options.first, options.first + options.copies):
                kind, damaged = damage(content, seed)
                path.write_bytes(damaged)
                what, text = outcome(str(path), intact)
                counts[kind][what] += 1
                bad += what in ("crash", "hang") or (checksums and what == "silent")
                if options.verbose or what in ("silent", "crash", "hang"):
                    print(f"  seed {seed:4d}  {kind:14s} {what:7s} {text[:400]}")
        columns = ("error", "intact", "silent", "crash", "hang")
        print(f"  {'damage':16s}" + "".join(f"{name:>8s}" for name in columns))
        for kind, row in [*counts.items(), ("all", sum(counts.values(), Counter[str]()))]:
            print(f"  {kind:16s}" + "".join(f"{row[name]:8d}" for name in columns))
        print(f"  {options.copies} copies in {time.perf_counter() - begin:.0f} s")
    sys.exit(int(bad > 0))


if __name__ == "__main__":
    main()
