"""Displaced tracks against a plain loop over real jets."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jetlens.config.features import KinematicStream, StreamRecipe
from jetlens.config.load import load
from jetlens.config.reading import ReadingConfig
from jetlens.features.archive import Archive
from jetlens.features.build import build_stream
from jetlens.skim import read_skim, skim_file
from tests.conftest import DEMO, ROOT

NAMES = ["n_displaced_d0", "n_displaced_dz"]
NAMES += [f"max_{name}_significance_{rank}" for name in ("d0", "dz") for rank in (1, 2, 3)]


def test_against_a_loop(tmp_path: Path) -> None:
    names = tmp_path / "a.parquet", tmp_path / "a.json"
    skim = load(ROOT / "config" / "config.yaml").skim
    source = str(DEMO / "ttbar_had_lo.root")
    skim_file(source, *names, sample="s", part="p", reading=ReadingConfig(), skim=skim)
    tokens = ["fat_jets[0]", "fat_jets[1]", "fat_jets[0]+fat_jets[1]"]
    stream = KinematicStream(kind="kinematics", tokens=tokens, features=NAMES)
    build_stream(names[0], tmp_path / "k.npz", recipe=StreamRecipe(stream=stream), sample="s", part="p")
    values = Archive(tmp_path / "k.npz", ["values"]).rows("values", 0, 82)
    assert not values[:, 2].any()  # sums have no tracks of their own
    for event, jets in enumerate(read_skim(names[0]).fat_jets[:, :2].constituents.tolist()):
        for jet, tracks in enumerate(jets):
            expected = []
            for name in ("d0", "dz"):
                sizes = [abs(t[name] / t[f"{name}_error"]) for t in tracks if t[f"{name}_error"] > 0]
                expected.append((sum(s > 3 for s in sizes), *(sorted(min(s, 20) for s in sizes)[::-1][:3])))
            (n_d0, *d0), (n_dz, *dz) = expected
            np.testing.assert_allclose(values[event, jet], [n_d0, n_dz, *d0, *dz], rtol=1e-5)
