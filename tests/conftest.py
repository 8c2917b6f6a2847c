"""What tests share: where the demo files and the larger, optional test data are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jetlens.config.samples import Sample, class_of

if TYPE_CHECKING:
    from jetlens.features.normalisation import Normalisation

# Snakemake's plugin asks a SLURM that is installed for its configuration at every start, ten seconds where none runs
os.environ["SLURM_CONF"] = os.devnull

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "resources" / "demo"
DEMO_SAMPLES = [
    Sample(name, name, role, {stem: str(DEMO / f"{stem}.root")}, cross_section)
    for name, stem, role, cross_section in (
        ("signal_H1000", "signal_H1000_hh_4b", "signal", 0.003),
        ("qcd_4b", "qcd_4b", "background", 30.0),
        ("ttbar_had", "ttbar_had", "background", 20.0),
    )
]
QUICK_XLA = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
"""JAX compiles in half the time; what it computes stays the same but for rounding."""
SHARED = ROOT.parent / "shared" / "data"


def shared_data(name: str) -> Path:
    """Return a file of the optional test data beside the checkout; skip the test where it is absent."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"optional test data not here: ../shared/data/{name}")
    return path


TOGETHER = {
    "tests/workflow/test_analysis.py": "analysis",
    "tests/workflow/test_report.py": "analysis",
    "tests/workflow/test_bad_input.py": "analysis",
    "tests/workflow/test_running.py": "analysis",
    "tests/unit/figures/test_figures.py": "networks",
    "tests/unit/explanation/test_stage.py": "networks",
    "tests/unit/test_stages.py": "networks",
}
"""Files whose tests share an expensive fixture."""


def group(nodeid: str) -> str:
    """Return what stays on one worker: a file, or several that share a fixture."""
    file = nodeid.split("::")[0]
    return TOGETHER.get(file, file)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start SLURM's test early, which mostly waits, and those that run whole analyses."""
    first = ("tests/workflow/test_slurm.py", "analysis", "tests/workflow/test_reruns.py")
    items.sort(
        key=lambda item: first.index(group(item.nodeid)) if group(item.nodeid) in first else len(first)
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share out whole groups of tests, in their order: a fixture of a module is then made once."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    config.option.loadscopereorder = False
    return Groups(config, log)


@pytest.fixture(scope="session")
def demo_features(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of the demo's feature files by sample, made from its Delphes files by the library itself."""
    from jetlens.config.load import load
    from jetlens.features import build_features
    from jetlens.features.normalisation import Normalisation
    from jetlens.skim import skim_file

    config = load(ROOT / "config" / "config.yaml")
    folder = tmp_path_factory.mktemp("demo_features")
    folders, flows = {}, []
    for sample in DEMO_SAMPLES:
        name, ((stem, source),) = sample.name, sample.files.items()
        parquet, cutflow = folder / f"{name}.parquet", folder / f"{name}.json"
        skim_file(source, parquet, cutflow, sample=name, part=stem, reading=config.reading, skim=config.skim)
        flows.append(cutflow)
        folders[name] = folder / name
        build_features(
            parquet, folders[name], features=config.features, sample=name, part=stem, label=class_of(sample)
        )
    Normalisation.of(flows, DEMO_SAMPLES, config.luminosity_fb).write(folder / "normalisation.json")
    return folders


@pytest.fixture(scope="session")
def normalisation(demo_features: dict[str, Path]) -> Normalisation:
    """Processes and scales of the samples of ``demo_features``."""
    from jetlens.features.normalisation import Normalisation

    return Normalisation.read(next(iter(demo_features.values())).parent / "normalisation.json")


@pytest.fixture(scope="session")
def demo_trees(demo_features: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Boosted trees trained on the demo's features, two seeds: folders as the training stage writes them."""
    options = {"kind": "gradient_boosting", "streams": ["kinematics"], "iterations": 60}
    return _train(demo_features, tmp_path_factory.mktemp("demo_trees"), "gradient_boosting", options, 1)


@pytest.fixture(scope="session")
def demo_networks(demo_features: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A small cross-attention network trained on the demo's features, two seeds, one epoch."""
    block = {"layers": 1, "heads": 2, "feed_forward": 12}
    options = {
        "kind": "cross_attention_three_stream",
        "encoders": {"jet1": block, "jet2": block, "kinematics": block},
        "query": "kinematics",
        "cross": block | {"layers": 2},
        "width": 8,
        "embedding": [8],
        "head": [8],
    }
    folder = tmp_path_factory.mktemp("demo_networks")
    return _train(demo_features, folder, "cross_attention_three_stream", options, 1)


def _train(
    features: dict[str, Path], folder: Path, variant: str, options: dict[str, object], epochs: int
) -> list[Path]:
    from pydantic import TypeAdapter

    from jetlens.config.models import ModelOptions
    from jetlens.config.training import TrainingConfig
    from jetlens.training import train

    parsed = TypeAdapter(ModelOptions).validate_python(options)
    folders = [folder / variant / f"seed{seed}" for seed in (1, 2)]
    for seed, output in zip((1, 2), folders, strict=True):
        settings = TrainingConfig(variants=[variant], seeds=[seed], epochs=epochs)
        train(list(features.values()), output, variant=variant, options=parsed, training=settings, seed=seed)
    return folders


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[object]:
    """A headless Chromium without network."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no browser here; on Debian: chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync", f"user-data-dir={tmp_path}", "window-size=1400,1000",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield window
    window.quit()
