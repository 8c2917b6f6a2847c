"""Inputs of figures from the demo's own events, and checks that every figure must pass."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import matplotlib.image
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from jetlens.config.evaluation import EvaluationConfig, FiguresConfig
from jetlens.config.explanation import ExplanationConfig

VARIANT = "cross_attention_three_stream"


@pytest.fixture(scope="session")
def look() -> FiguresConfig:
    return FiguresConfig(dpi=80)


@pytest.fixture(scope="session")
def evaluations(demo_features, normalisation, demo_trees, demo_networks, tmp_path_factory) -> list[Path]:
    from jetlens.evaluation import evaluate

    folders = []
    for variant, models in (("gradient_boosting", demo_trees), (VARIANT, demo_networks)):
        folders.append(tmp_path_factory.mktemp("evaluation") / variant)
        settings = EvaluationConfig(bootstrap=50)
        evaluate(
            models,
            list(demo_features.values()),
            folders[-1],
            variant=variant,
            normalisation=normalisation,
            evaluation=settings,
        )
    return folders


@pytest.fixture(scope="session")
def explanation(demo_features, normalisation, demo_networks, tmp_path_factory) -> Path:
    from jetlens.explanation import explain

    folder = tmp_path_factory.mktemp("explanation") / VARIANT
    settings = ExplanationConfig(variants=[VARIANT], events=40, test_events=5)
    explain(
        demo_networks,
        list(demo_features.values()),
        folder,
        variant=VARIANT,
        normalisation=normalisation,
        explanation=settings,
    )
    return folder


class Checker:
    """Draws a figure as PDF, PNG and CSV and checks what can be checked without an eye."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.figures: list[Figure] = []
        original = Figure.savefig

        def remember(figure, *args, **kwargs):
            self.figures.append(figure)
            return original(figure, *args, **kwargs)

        monkeypatch.setattr(Figure, "savefig", remember)

    def __call__(self, draw) -> list[dict[str, str]]:
        """Call ``draw(outputs, csv)`` twice; return the rows of its table."""
        files = []
        for name in ("first", "second"):
            outputs = [self.folder / f"{name}.pdf", self.folder / f"{name}.png"]
            draw(outputs, self.folder / f"{name}.csv")
            files.append([*outputs, self.folder / f"{name}.csv"])
        for first, second in zip(*files, strict=True):
            assert first.read_bytes() == second.read_bytes(), f"{first.suffix} differs between two runs"
        assert len(list(self.folder.iterdir())) == 6, "something else was left behind"
        self.check_image(files[0][1])
        self.check_texts(self.figures[-1])
        with files[0][2].open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    @staticmethod
    def check_image(path: Path) -> None:
        pixels = matplotlib.image.imread(path)[..., :3]
        assert (pixels < 0.95).any(axis=-1).mean() > 0.01, "the figure is blank"
        for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
            assert (edge > 0.9).all(), "something is cut off at the edge"

    @staticmethod
    def check_texts(figure: Figure) -> None:
        """All text lies inside the figure, and no two texts overlap by more than a tenth of the smaller."""
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        boxes = [
            (text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in drawn_texts(figure)
        ]
        assert len(boxes) > 5
        for text, box in boxes:
            inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
            assert inside, f"'{text}' is clipped"
        for (a, first), (b, second) in itertools.combinations(boxes, 2):
            common = Bbox.intersection(first, second)
            if common is not None:
                smaller = min(first.width * first.height, second.width * second.height)
                assert common.width * common.height < 0.1 * smaller, f"'{a}' overlaps '{b}'"


def drawn_texts(figure: Figure) -> list[Text]:
    """Return all texts but the labels of ticks beyond the ends of an axis, which are never drawn."""
    labels, drawn = set(), set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                labels |= {tick.label1, tick.label2}
                if axes.axison and low <= tick.get_loc() <= high:
                    drawn |= {tick.label1, tick.label2}
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    return [text for text in texts if text not in labels or text in drawn]


@pytest.fixture
def check(tmp_path, monkeypatch) -> Checker:
    return Checker(tmp_path, monkeypatch)
