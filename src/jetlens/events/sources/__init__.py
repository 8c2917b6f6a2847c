"""Sources of columns, and the one that fits a file; what the columns mean is the schema's matter."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jetlens.errors import DamagedFileError, FileError
from jetlens.events.rootopen import read_head
from jetlens.events.sources.base import Source

if TYPE_CHECKING:
    from jetlens.events.schema import Schema

__all__ = ["Source", "open_source"]

_MAGIC = {
    b"root": "root",
    b"PAR1": "parquet",
    b"\x89HDF": "hdf5",
    b"PK\x03\x04": "numpy",
    b"\x93NUM": "numpy",
}
_SUFFIXES = {".parquet": "parquet", ".pq": "parquet", ".h5": "hdf5", ".hdf5": "hdf5", ".hdf": "hdf5"}
_SUFFIXES |= {".npz": "numpy", ".npy": "numpy", ".root": "root"}


def kind_of(path: str) -> str:
    """Tell what kind of file this is, by its first bytes: ``root``, ``parquet``, ``hdf5`` or ``numpy``.

    Raises:
        FileError: if it is not there; DamagedFileError: if it is none of these.
    """
    if "://" in path:
        return next((kind for suffix, kind in _SUFFIXES.items() if path.endswith(suffix)), "root")
    magic = read_head(path, 4)
    if not magic:
        raise DamagedFileError(f"{path}: is empty (0 bytes); copy or make it again")
    if magic not in _MAGIC:
        expected = next((kind for suffix, kind in _SUFFIXES.items() if path.endswith(suffix)), "root")
        if expected == "root":
            raise DamagedFileError(f"{path}: is not a ROOT file (it does not start with 'root')")
        raise DamagedFileError(f"{path}: is not a readable {expected} file: it starts with {magic!r}")
    return _MAGIC[magic]


def open_source(
    path: str, trees: Sequence[str] = (), tree: str | None = None, *, fast: bool = True
) -> Source:
    """Open a file of any kind.

    Args:
        path: a ROOT, parquet, HDF5, ``.npz`` or ``.npy`` file; of ROOT files also a URL.
        trees: names that the tree (group, table) may have, best first; empty: the only one there is.
        tree: its name, if it is known.
        fast: read plain numbers of trees straight from the baskets; False: everything by uproot.

    Raises:
        FileError: if it cannot be read, or has no such tree.
    """
    kind = kind_of(path)
    if "://" in path and kind != "root":
        raise FileError(f"{path}: only ROOT files are read from elsewhere; copy it here first")
    if kind == "parquet":
        from jetlens.events.sources.parquet import ParquetSource

        return ParquetSource(path)
    if kind == "hdf5":
        from jetlens.events.sources.arrays import HDF5Source

        return HDF5Source(path, trees, tree)
    if kind == "numpy":
        from jetlens.events.sources.arrays import NumpySource

        return NumpySource(path)
    return _open_tree(path, trees, tree, fast)


def _open_tree(path: str, trees: Sequence[str], tree: str | None, fast: bool) -> Source:
    from jetlens.events.rootopen import choose_tree, open_root
    from jetlens.events.sources.plain import PlainSource

    file, classes = open_root(path)
    with contextlib.ExitStack() as stack:
        stack.callback(file.close)
        name = choose_tree(path, classes, tree, trees)
        source: Source
        if fast and classes[name] != "ROOT::RNTuple" and (quick := _fast_tree(path, file, name)) is not None:
            source = quick
        else:
            source = PlainSource(path, file, name)
        stack.pop_all()
    return source


def _fast_tree(path: str, file: object, name: str) -> Source | None:
    """The fast source; None where this version of uproot lacks the internals that it needs."""
    try:
        from jetlens.events.rootfile import RootTree
        from jetlens.events.sources.tree import TreeSource
    except ImportError:
        return None
    return TreeSource(RootTree(path, file, name))


def open_for(schema: Schema, path: str, tree: str | None = None, *, fast: bool = True) -> Source:
    """Open a file, and the companions that a schema names, as one source.

    Raises:
        FileError: if one of them cannot be read.
    """
    source = open_source(path, schema.trees, tree, fast=fast)
    if not schema.companions:
        return source
    from jetlens.events.sources.joined import JoinedSource

    with contextlib.ExitStack() as stack:
        stack.callback(source.close)
        further = {}
        for prefix, other in schema.companions_of(path).items():
            further[prefix] = open_source(other, schema.trees, tree, fast=fast)
            stack.callback(further[prefix].close)
        joined = JoinedSource(source, further)
        stack.pop_all()
    return joined
