"""What surrounds the reading of a ROOT tree: opening, finding the tree and its branches, and clear messages."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import uproot

from jetlens.errors import DamagedFileError, FileError, JetlensError

_CLONES_COUNTER, _CLONES_MEMBER = 3, 31  # TBranchElement::fType: a TClonesArray's counter, one of its members
_STREAMER_TYPES = {
    1: ">i1",
    2: ">i2",
    3: ">i4",
    5: ">f4",
    8: ">f8",
    11: ">u1",
    12: ">u2",
    13: ">u4",
    16: ">i8",
}
_TREES, _TUPLE = ("TTree", "TNtuple", "TNtupleD", "TChain"), "ROOT::RNTuple"
_STREAMER_TYPES |= {17: ">u8", 18: "?"}


@contextlib.contextmanager
def clear_errors(path: str, doing: str) -> Iterator[None]:
    """Turn whatever uproot, a decompressor or the network raise into one line that names the file.

    Raises:
        DamagedFileError: for every exception that is not already one of ours; FileError if there is no such file.
    """
    try:
        yield
    except JetlensError:
        raise
    except FileNotFoundError as error:
        raise FileError(f"{path}: does not exist") from error
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except ImportError as error:
        raise FileError(f"{path}: {_plugin(path, str(error))}") from error
    except BaseException as error:  # uproot raises many kinds; PyO3's PanicException is no Exception
        reason = next(
            (line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__
        )
        if "://" in path and (isinstance(error, OSError) or "Protocol not known" in reason):
            raise FileError(
                f"{path}: {doing} failed: {reason[:160]}; is the address right, and the server reachable from here?"
            ) from error
        raise DamagedFileError(
            f"{path}: {doing} failed, the file is damaged or incomplete: {reason[:160]}"
        ) from error


def _plugin(path: str, message: str) -> str:
    """Say what a URL needs that is not installed."""
    protocol = path.partition("://")[0]
    if protocol in ("root", "xroot", "roots"):
        return "root:// files need XRootD, which is not installed; install it: pip install 'jetlens[xrootd]'"
    return f"cannot be opened, something is not installed: {message.splitlines()[0][:160]}"


def source_options(path: str) -> dict[str, Any]:
    """How uproot shall fetch bytes: fsspec for all but http, for which it would need aiohttp."""
    if path.startswith(("http://", "https://")):
        return {"handler": uproot.source.http.HTTPSource}
    # for a local file a thread per request only adds switches between threads
    return {} if "://" in path else {"use_threads": False}


def stored_type(path: str, leaf: str, branch: Any) -> np.dtype[Any]:
    """How a branch's numbers are stored.

    Branches of split objects carry ROOT's type code (``TVirtualStreamerInfo::EReadWrite``), which is read here; asking
    uproot for its interpretation gives the same, but takes a millisecond or more per branch.
    """
    if branch.has_member("fStreamerType") and len(branch.member("fLeaves")) == 1:
        if branch.member("fType") == _CLONES_COUNTER:
            return np.dtype(">i4")
        code = int(branch.member("fStreamerType"))
        length = int(branch.member("fLeaves")[0].member("fLen"))
        if code in _STREAMER_TYPES and branch.member("fType") == _CLONES_MEMBER and length == 1:
            return np.dtype(_STREAMER_TYPES[code])
        if (
            code - 20 in _STREAMER_TYPES and branch.member("fType") == _CLONES_MEMBER
        ):  # 20 is kOffsetL, a fixed array
            return np.dtype((_STREAMER_TYPES[code - 20], (length,)))
    interpretation = branch.interpretation
    content = getattr(interpretation, "content", interpretation)
    if getattr(interpretation, "header_bytes", 0) or not isinstance(content, uproot.AsDtype):
        raise FileError(f"{path}: branch '{leaf}' holds {interpretation.typename}; expected plain numbers")
    dtype: np.dtype[Any] = np.dtype(content.from_dtype)
    if dtype.base.kind not in "biuf":
        raise FileError(f"{path}: branch '{leaf}' holds {interpretation.typename}; expected plain numbers")
    return dtype


def read_head(path: str, number: int) -> bytes:
    """Read the first bytes of a local file.

    Raises:
        FileError: if it is not there; DamagedFileError: if it cannot be read.
    """
    try:
        with open(path, "rb") as stream:
            return stream.read(number)
    except FileNotFoundError as error:
        raise FileError(f"{path}: does not exist") from error
    except OSError as error:
        raise DamagedFileError(f"{path}: cannot be read: {error.strerror}") from error


def check_local(path: str) -> None:
    """Refuse a local file that is missing, no ROOT file, or shorter than its header says."""
    if "://" in path:
        return
    header = read_head(path, 64)
    size = os.path.getsize(path)
    if header[:4] != b"root" or len(header) < 64:
        raise DamagedFileError(f"{path}: is not a ROOT file (it does not start with 'root')")
    (version,) = struct.unpack(">i", header[4:8])
    (end,) = (
        struct.unpack(">q", header[12:20]) if version >= 1_000_000 else struct.unpack(">i", header[12:16])
    )
    if end > size:
        raise DamagedFileError(f"{path}: is truncated: {size} of {end} bytes are there; copy it again")


def open_root(path: str) -> tuple[Any, dict[str, str]]:
    """Open a ROOT file; returns it, and the classes of what it holds by name.

    Raises:
        FileError: if it cannot be read.
    """
    check_local(path)
    with clear_errors(path, "opening"):
        file = uproot.open({path: None}, object_cache=None, array_cache=None, **source_options(path))
    with contextlib.ExitStack() as stack:
        stack.callback(file.close)
        with clear_errors(path, "reading the table of contents"):
            classes = dict(file.classnames(cycle=False, recursive=False))
            if not {*_TREES, _TUPLE} & set(classes.values()):  # it may be in a folder
                classes |= dict(file.classnames(cycle=False, recursive=True))
        stack.pop_all()
    return file, classes


def choose_tree(path: str, classes: dict[str, str], tree: str | None, allowed: Sequence[str]) -> str:
    """Return the name of the tree or RNTuple to read.

    Args:
        path: the file, for messages.
        classes: of what the file holds, by name.
        tree: name asked for; None for the first of ``allowed`` that is there.
        allowed: names it may have, best first; empty for the only one there is.

    Raises:
        FileError: listing the trees that are there instead.
    """
    trees = [name for name, kind in classes.items() if kind in (*_TREES, _TUPLE)]
    if not trees:
        other = f"; it holds: {', '.join(classes)}" if classes else ""
        raise FileError(f"{path}: holds no tree at all{other}")
    found = f"it holds: {', '.join(trees)}"
    if tree is not None:
        if tree not in trees:
            raise FileError(f"{path}: has no tree '{tree}' (reading.tree); {found}")
        return tree
    for name in allowed:
        if name in trees:
            return name
    if not allowed and len(trees) == 1:
        return trees[0]
    wanted = f"no tree named {' or '.join(allowed)}" if allowed else "not exactly one tree"
    raise FileError(f"{path}: has {wanted}; {found}; set reading.tree if it has another name")


def by_name(tree: Any) -> dict[str, Any]:
    """Branches and their leaves, one level deep, by full name; of two with one name the first, as in ROOT.

    Some Delphes files hold a second ``Particle``, of another class and with other leaves, which never fit the first.
    """
    branches: dict[str, Any] = {}
    for branch in tree.branches:
        if branch.name in branches:
            continue
        branches[branch.name] = branch
        for leaf in branch.branches:
            branches.setdefault(leaf.name, leaf)
    return branches
