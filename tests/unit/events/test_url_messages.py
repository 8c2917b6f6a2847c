"""A file behind a URL that cannot be reached is not called damaged."""

from __future__ import annotations

import importlib.util

import pytest

from jetlens.config.reading import ReadingConfig
from jetlens.errors import DamagedFileError, FileError


def refusal(url: str) -> str:
    with pytest.raises(FileError) as caught, ReadingConfig().open(url):
        pass
    assert not isinstance(caught.value, DamagedFileError)
    assert "damaged" not in str(caught.value)
    return str(caught.value)


@pytest.mark.skipif(importlib.util.find_spec("fsspec_xrootd") is not None, reason="XRootD is installed here")
def test_xrootd_without_its_plugin() -> None:
    url = "root://server.example//store/a.root"
    assert refusal(url) == (
        f"{url}: root:// files need XRootD, which is not installed; install it: pip install 'jetlens[xrootd]'"
    )


def test_a_server_that_is_not_there() -> None:
    assert "is the address right, and the server reachable" in refusal("http://127.0.0.1:9/a.root")


def test_an_unknown_protocol() -> None:
    assert "Protocol not known: foo" in refusal("foo://server.example/a.root")
