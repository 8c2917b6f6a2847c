"""Damaged and odd inputs of every format: each must end in one clear line, or in the right numbers.

    python benchmarks/fuzzing.py [--number 300] [--seed 1]

Small files of all formats are written in their public layouts (and taken from the demo for Delphes), then damaged:
bytes flipped, overwritten, left out, the end cut off, one file's head on another's tail. As many again are whole, and
odd: columns of any type, name and shape in any kind of file. Each is inspected and read in full. As many intact files
are read by schemas in which keys are missing, wrong or in the wrong place. Counted are:
``refused`` (one line that names the file), ``right`` (the same numbers), ``other`` (other numbers: a change that
nothing in the file tells, which only a checksum finds; with a ``SHA256SUMS`` beside it each of them is refused),
``unknown`` (an odd file of which nothing is known, and this is said), ``schema refused`` or ``read``, and ``crashed``,
of which there must be none.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import dataclasses
import random
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import awkward as ak
import h5py
import numpy as np
import uproot

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.unit.events.test_formats import FORMATS, JETS, schema_of  # noqa: E402

from jetlens.config.reading import ReadingConfig  # noqa: E402
from jetlens.errors import JetlensError  # noqa: E402
from jetlens.events import load_schema, open_events  # noqa: E402
from jetlens.events.inspect import inspect_file  # noqa: E402
from jetlens.events.schema import Collection, Constituents, Field, Schema  # noqa: E402
from jetlens.events.schemas import schema_content  # noqa: E402


def jets() -> ak.Array:
    """Jets of a few constituents."""
    rng = np.random.default_rng(1)
    shape = JETS, 6
    columns = {"pt": np.sort(rng.exponential(20, shape) + 1, axis=1)[:, ::-1], "mass": np.zeros(shape)}
    columns |= {name: rng.normal(0, 0.3, shape) for name in ("eta", "phi")}
    return ak.zip({name: ak.from_regular(values) for name, values in columns.items()}, with_name="Momentum4D")


def intact(folder: Path) -> dict[str, tuple[bytes, str]]:
    """Contents of intact files by name, and their schemas."""
    found = {}
    for name, (file, write) in FORMATS.items():
        path = folder / f"{name}_{file}"
        write(path, jets())
        schema = schema_of(name)
        found[path.name] = path.read_bytes(), str(ROOT / schema) if schema.endswith(".yaml") else schema
    array = folder / "flat.parquet"
    ak.to_parquet(
        ak.zip({f"part_{k}": getattr(jets(), k) for k in ("px", "py", "pz", "energy")}, depth_limit=1), array
    )
    found["flat.parquet"] = array.read_bytes(), "flat"
    demo = sorted((ROOT / "resources" / "demo").glob("*.root"), key=lambda path: path.stat().st_size)[0]
    found["delphes.root"] = demo.read_bytes(), "delphes"
    return found


FLAT = {
    "collections": {"parts": {"fields": {k: f"part_{k}" for k in ("px", "py", "pz", "energy")}}},
}


def damaged(content: bytes, other: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """One way of damage, and the file after it."""
    raw = np.frombuffer(content, dtype=np.uint8).copy()
    at = int(rng.integers(0, len(raw)))
    size = min(int(2 ** rng.uniform(0, 12)), len(raw) - at)
    kind = str(rng.choice(["flip", "noise", "zeros", "cut", "left out", "spliced", "empty", "head"]))
    if kind == "flip":
        raw[at] ^= np.uint8(1 << rng.integers(0, 8))
    elif kind == "noise":
        raw[at : at + size] = rng.integers(0, 256, size=size)
    elif kind == "zeros":
        raw[at : at + size] = 0
    elif kind == "head":
        raw[: min(64, len(raw))] = rng.integers(0, 256, size=min(64, len(raw)))
    changed = {
        "cut": content[:at],
        "left out": content[:at] + content[at + size :],
        "spliced": content[:at] + other[at:],
        "empty": b"",
    }
    return kind, changed.get(kind, raw.tobytes())


def outcome(path: Path, schema: str, right: list | None) -> tuple[str, list | None]:
    """Inspect and read a file; what became of it, and what was read."""
    try:
        inspect_file(str(path))
        with open_events(str(path), load_schema(FLAT if schema == "flat" else schema)) as file:
            found = ak.to_list(ak.concatenate(list(file))) if file.entries else []
    except JetlensError as error:
        text = str(error)
        clear = path.name in text and "\n" not in text
        return ("refused" if clear else f"unclear: {text[:200]}"), None
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"crashed: {type(error).__name__}: {str(error)[:200]}", None
    return ("right" if right is None or found == right else "other"), found


GOOD = ("refused", "right", "other", "unknown", "schema refused", "read")
WORDS = (
    "jet_pt",
    "jet_eta",
    "jet_phi",
    "jet_m",
    "part_px",
    "part_py",
    "part_pz",
    "part_energy",
    "event",
    "Jet_pt",
)
WORDS += (
    "arr_0",
    "x",
    "X",
    "y",
    "label",
    "Jet.PT",
    "a b",
    "é",
    "nJet",
    "luminosityBlock",
    "weight",
    "E_0",
    "_",
    "[0]",
)


def odd_column(rng: np.random.Generator, entries: int, kind: int | None = None) -> Any:
    """Values that somebody may have stored."""
    flat = rng.normal(50, 30, entries)
    lists = (
        ak.unflatten(rng.exponential(30, 3 * entries), np.full(entries, 3))
        if entries
        else ak.Array([[1.0]])[:0]
    )
    return [
        lambda: flat,
        lambda: flat.astype(str(rng.choice(["f4", ">f8", "f2", "i1", "u8", "?", "c16", "S5", "U3"]))),
        lambda: np.where(rng.random(entries) < 0.3, np.nan, flat),
        lambda: np.full(entries, np.inf),
        lambda: rng.normal(size=(entries, *rng.integers(0, 4, rng.integers(1, 4)))),
        lambda: lists,
        lambda: lists[lists > 20],
        lambda: ak.unflatten(lists, [len(lists)]) if rng.random() < 0.1 else ak.singletons(lists),
        lambda: ak.zip({"pt": lists, "phi": lists}),
        lambda: ak.mask(ak.Array(flat), flat > 50),
        lambda: ak.Array(["text"] * entries),
        lambda: np.asarray(5.0),
    ][int(rng.integers(12)) if kind is None else kind]()


def write_odd(path: Path, columns: dict[str, Any]) -> None:
    """Write what the kind of file can hold; any error of the writer is no concern of ours."""
    arrays = {name: np.asarray(v) for name, v in columns.items() if isinstance(v, np.ndarray)}
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".npy":
        np.save(path, next(iter(arrays.values())))
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            for name, values in arrays.items():
                file[name.replace(".", "/")] = values
    elif path.suffix == ".parquet":
        ak.to_parquet(ak.zip({k: ak.Array(v) for k, v in columns.items()}, depth_limit=1), path)
    else:
        with uproot.recreate(path) as file:
            (file.mktree if path.name.startswith("t") else file.mkrntuple)("events", columns)


def odd_outcome(path: Path) -> str:
    """Inspect a file, and read it as it is proposed; what became of it."""
    try:
        summary = inspect_file(str(path))
        if summary.schema is None and not summary.reading:
            return "unknown"
        with ReadingConfig.model_validate(summary.reading or {"format": summary.schema}).open(
            str(path)
        ) as file:
            return "right" if sum(len(events) for events in file) == summary.events else "events lost"
    except JetlensError as error:
        text = str(error)
        return "refused" if path.name in text and "\n" not in text else f"unclear: {text[:200]}"
    except Exception as error:
        return f"crashed: {type(error).__name__}: {str(error)[:200]}"


def fuzz_odd(number: int, seed: int) -> Counter[str]:
    """Inspect and read that many whole files with odd columns."""
    rng = np.random.default_rng([seed, 1])
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        while sum(counts.values()) < number:
            entries = int(rng.choice([0, 1, 7]))
            names = rng.choice(WORDS, int(rng.integers(1, 9)), replace=False)
            whole = [(), WORDS[:4], WORDS[4:8]][int(rng.integers(3))]  # a momentum, all in one way
            kind_of_all = int(rng.integers(12))
            same = {word: odd_column(rng, entries, kind_of_all) for word in whole}
            columns = {str(word): odd_column(rng, entries) for word in names} | same
            kind = str(rng.choice(["a.npz", "a.npy", "a.h5", "a.parquet", "t.root", "r.root"]))
            path = Path(name) / f"{kind.split('.')[0]}{sum(counts.values())}.{kind.split('.')[1]}"
            with contextlib.suppress(Exception), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                write_odd(path, columns)
                result = odd_outcome(path)
                good = result in ("refused", "right", "unknown")
                counts[result if good else f"{kind}: {result}"] += 1
    return counts


VALUES = (
    None,
    True,
    -1,
    0,
    2.5,
    "x",
    "pt",
    "{}_pt",
    "lists",
    "padded",
    "entry",
    "nested",
    "bool",
    "type_of_flags",
)
VALUES += ([], ["a", "b"], {}, {"branch": "x"}, {"value": 1}, [[1]], "1e-3", float("nan"), 10**30, "arr_0[2]")


def mutated(content: Any, rng: random.Random) -> Any:
    """A schema with keys taken away, changed, or moved to where they do not belong."""
    content = copy.deepcopy(content)
    keys = [f.name for kind in (Schema, Collection, Constituents, Field) for f in dataclasses.fields(kind)]
    for _ in range(rng.randint(1, 3)):
        places: list[tuple[Any, Any]] = []
        todo = [content]
        while todo:
            node = todo.pop()
            inner = list(node.items()) if isinstance(node, dict) else list(enumerate(node))
            places += [(node, key) for key, _ in inner]
            todo += [value for _, value in inner if isinstance(value, dict | list)]
        if not places:
            break
        node, key = rng.choice(places)
        choice = rng.random()
        if choice < 0.25:
            del node[key]
        elif choice < 0.7 or not isinstance(node, dict):
            node[key] = copy.deepcopy(rng.choice(VALUES))
        else:
            node[rng.choice([*keys, "pt", "px", "mass"])] = copy.deepcopy(rng.choice(VALUES))
    return content


def fuzz_schemas(number: int, seed: int) -> Counter[str]:
    """Read intact files by that many schemas that are not theirs any more."""
    rng = random.Random(seed)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        files = intact(Path(name))
        for file, (content, _) in files.items():
            (Path(name) / file).write_bytes(content)
        for _ in range(number):
            file = rng.choice(list(files))
            schema = mutated(FLAT if files[file][1] == "flat" else schema_content(files[file][1]), rng)
            try:
                with open_events(str(Path(name) / file), load_schema(schema)) as opened:
                    for batch in opened.batches(20):
                        batch.with_constituents(batch.events)
                        break
                counts["read"] += 1
            except JetlensError as error:
                clear = "\n" not in str(error)
                counts["schema refused" if clear else f"unclear: {str(error)[:200]}"] += 1
            except Exception as error:
                counts[f"{file}: crashed: {type(error).__name__}: {str(error)[:100]}"] += 1
    return counts


def fuzz(number: int, seed: int) -> Counter[str]:
    """Read that many damaged files; returns how often each outcome was had, by format where it is bad."""
    rng = np.random.default_rng(seed)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = intact(folder)
        right = {}
        for file, (content, schema) in files.items():
            path = folder / f"fuzzed_{file}"
            path.write_bytes(content)
            result, right[file] = outcome(path, schema, None)
            assert result == "right", (file, result)
        names = list(files)
        for count in range(number):
            file, other = names[count % len(names)], names[int(rng.integers(len(names)))]
            kind, content = damaged(files[file][0], files[other][0], rng)
            path = folder / f"fuzzed_{file}"
            path.write_bytes(content)
            result, _ = outcome(path, files[file][1], right[file])
            good = result in ("refused", "right", "other")
            counts[result if good else f"{file}, {kind}: {result}"] += 1
    return counts


def main() -> None:
    """Fuzz and print the outcomes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--number", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    counts = fuzz(options.number, options.seed)
    counts += fuzz_odd(options.number, options.seed)
    counts += fuzz_schemas(options.number, options.seed)
    for result, count in counts.most_common():
        print(f"{count:5d}  {result}")
    if any(result not in GOOD for result in counts):
        sys.exit("some inputs were neither refused clearly nor read")


if __name__ == "__main__":
    main()
