"""How often the intervals that jetlens prints hold the truth: toys with a known truth, binomial errors, exit status.

    python benchmarks/coverage.py               # 2,000 toys per line, about five minutes on one core
    python benchmarks/coverage.py --toys 200    # a first look; bands are then wider by the larger binomial error

Scores are Gaussian: signal at a distance d from background, so that AUC and rejections are known in closed form.
A network is the event's own score, plus noise of its own for each event, plus a shift of d for each seed. Nominal is
68.27 %. Intervals of counts (Garwood's and those made like it) may be wider than that, never narrower: at least 0.68
less two binomial errors, limits at least 0.95 less two. All others: between 0.63 and 0.73. Discrete counts make the
coverage of any interval swing with the truth, so with few events the truth is drawn anew for each toy.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from jetlens.evaluation.comparison import paired_difference
from jetlens.evaluation.metrics import mean_area
from jetlens.evaluation.rejection import efficiency_distribution, working_point
from jetlens.inference.asimov import asimov_significance, significance_error
from jetlens.skim.cutflow import efficiency_error
from jetlens.statistics import ONE_SIGMA, clopper_pearson, gamma_interval, garwood, typical_weight

TAIL = (1 - ONE_SIGMA) / 2
REPLICAS = 100


@dataclass(frozen=True)
class Network:
    """Gaussian scores: numbers of events, distance, and how seeds differ."""

    signal: int = 300
    background: int = 500
    distance: float = 1.5
    seeds: int = 1
    noise: float = 0.0
    shift: float = 0.0

    @property
    def label(self) -> np.ndarray:
        return np.repeat([1, 0], [self.signal, self.background])

    def logits(
        self, event: np.ndarray, rng: np.random.Generator, distance: float | None = None
    ) -> np.ndarray:
        """(S, N) scores of events whose own scores, without distance, are given."""
        rows = event + self.noise * rng.normal(size=(self.seeds, len(event)))
        of_seed = self.shift * rng.normal(size=(self.seeds, 1))
        return rows + self.label * ((self.distance if distance is None else distance) + of_seed)

    def events(self, rng: np.random.Generator) -> np.ndarray:
        return rng.normal(size=self.signal + self.background)

    def over_seeds(self, function: Callable[[np.ndarray], np.ndarray], distance: float) -> float:
        """Mean over seeds of what a network of a given distance, in units of the scores' width, achieves."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(41)
        width = np.sqrt(1 + self.noise**2)
        return float((function((distance + self.shift * nodes) / width) * weights).sum() / weights.sum())

    def auc(self) -> float:
        return self.over_seeds(lambda d: norm.cdf(d / np.sqrt(2)), self.distance)

    def share(self, efficiency: float, distance: float) -> float:
        return self.over_seeds(lambda d: norm.sf(d + norm.isf(efficiency)), distance)

    def distance_for(self, share: float, efficiency: float) -> float:
        grid = np.linspace(0, 8, 801)
        return float(np.interp(-share, [-self.share(efficiency, d) for d in grid], grid))


Toy = Callable[[np.random.Generator], bool]


def areas(network: Network, weights: str) -> Toy:
    truth = network.auc()

    def toy(rng: np.random.Generator) -> bool:
        weight = {
            "unit": lambda n: None,
            "spread": lambda n: rng.lognormal(0, 0.7, n),
            "heavy": lambda n: np.where(np.arange(n) >= n - 8, 100.0, 1.0),
            "signed": lambda n: np.where(rng.random(n) < 0.15, -1.0, 1.0),
        }[weights](len(network.label))
        low, high = mean_area(network.logits(network.events(rng), rng), network.label, weight).interval
        return low <= truth <= high

    return toy


def differences(first: Network, second: Network) -> Toy:
    truth = first.auc() - second.auc()

    def toy(rng: np.random.Generator) -> bool:
        event = first.events(rng)
        found = paired_difference(first.logits(event, rng), second.logits(event, rng), first.label)
        return abs(found.value - truth) <= found.spread.error

    return toy


def rejections(network: Network, passing: tuple[float, float], efficiency: float, limit: bool) -> Toy:
    """``passing``: background events expected, drawn between two values, evenly in their logarithm."""
    grid = np.geomspace(*passing, 15)
    distances = [network.distance_for(mean / network.background, efficiency) for mean in grid]

    def toy(rng: np.random.Generator) -> bool:
        pick = rng.integers(len(grid))
        rows = network.logits(network.events(rng), rng, distances[pick])
        signal, weight = network.label == 1, np.ones(len(network.label))
        points = [working_point(row, signal, efficiency, weight) for row in rows]
        drawn = efficiency_distribution(
            rows, signal, weight, efficiency, points, REPLICAS, int(rng.integers(2**31)), limit=limit
        )
        truth = grid[pick] / network.background
        if limit:
            return truth <= np.quantile(drawn, 0.95)
        low, high = np.quantile(drawn, [TAIL, 1 - TAIL])
        return low <= truth <= high

    return toy


def mixtures(light: float, heavy: tuple[float, float], limit: bool) -> Toy:
    """Two backgrounds, 1,000 events of weight 1 and 100 of weight 100, of which so many are expected to pass."""
    grid = np.geomspace(*heavy, 15)
    label, weight = np.repeat([1, 0], [400, 1100]), np.repeat([1.0, 1.0, 100.0], [400, 1000, 100])
    places = norm.isf(0.5) - norm.isf(np.array([light]) / 1000), norm.isf(0.5) - norm.isf(grid / 100)

    def toy(rng: np.random.Generator) -> bool:
        pick = rng.integers(len(grid))
        of_process = np.repeat([0.0, places[0][0], places[1][pick]], [400, 1000, 100])
        scores = (rng.normal(size=1500) + of_process)[np.newaxis]
        points = [working_point(scores[0], label == 1, 0.5, weight)]
        drawn = efficiency_distribution(
            scores, label == 1, weight, 0.5, points, REPLICAS, int(rng.integers(2**31)), limit=limit
        )
        truth = (light + 100 * grid[pick]) / 11_000
        if limit:
            return truth <= np.quantile(drawn, 0.95)
        low, high = np.quantile(drawn, [TAIL, 1 - TAIL])
        return low <= truth <= high

    return toy


WEIGHTS: dict[str, tuple[Callable[[np.random.Generator, int], np.ndarray], float]] = {
    "equal weights": (lambda rng, n: np.ones(n), 1.0),
    "lognormal weights": (lambda rng, n: rng.lognormal(-0.5, 1.0, n), 1.0),
    "15 % negative": (lambda rng, n: np.where(rng.random(n) < 0.15, -1.0, 1.0), 0.7),
}


def yields(weights: str, mean: float, confidence: float, upper_only: bool) -> Toy:
    draw, average = WEIGHTS[weights]

    def toy(rng: np.random.Generator) -> bool:
        sample = draw(rng, rng.poisson(20 * mean))
        passing = sample[rng.random(len(sample)) < 0.05]
        interval = gamma_interval(passing.sum(), (passing**2).sum(), typical_weight(sample), confidence)
        return bool((upper_only or interval[0] <= mean * average) and mean * average <= interval[1])

    return toy


def significances(signal: float, background: float) -> Toy:
    truth = float(asimov_significance(10.0, 1000.0, 100.0))

    def toy(rng: np.random.Generator) -> bool:
        n, m = rng.poisson(signal), rng.poisson(background)
        s, b = 10.0 * n / signal, 1000.0 * m / background
        error = significance_error(s, 10.0 * np.sqrt(n) / signal, b, 1000.0 * np.sqrt(m) / background, 0.1)
        return abs(float(asimov_significance(s, b, 0.1 * b)) - truth) <= error

    return toy


def efficiencies(rng: np.random.Generator) -> bool:
    """Efficiency of a cut as in the cutflow: 12 % of 400 events of lognormal weight."""
    weight = rng.lognormal(0, 0.5, 400)
    passes = rng.random(400) < 0.12
    share = weight[passes].sum() / weight.sum()
    error = efficiency_error(share, (weight[passes] ** 2).sum(), (weight**2).sum(), weight.sum())
    return abs(share - 0.12) <= error


def lines() -> Iterator[tuple[str, str, Toy]]:
    """(kind, what, toy): ``count`` at least nominal, ``limit`` at least 95 %, ``other`` in its band."""
    for n, distance in ((300, 1.5), (100, 2.5)):
        yield "other", f"AUC, {n} + 500 events, 1 seed", areas(Network(n, 500, distance), "unit")
    yield "other", "AUC, lognormal weights, 1 seed", areas(Network(), "spread")
    yield "other", "AUC, 15 % negative weights, 1 seed", areas(Network(), "signed")
    for seeds in (2, 3, 5):
        yield (
            "other",
            f"AUC, {seeds} seeds that differ",
            areas(Network(seeds=seeds, noise=0.3, shift=0.15), "unit"),
        )
    yield "other", "AUC difference, 1 seed each", differences(Network(noise=0.3), Network(noise=0.5))
    close = {"noise": 0.3, "shift": 0.0}
    far = {"noise": 0.3, "shift": 0.1}
    for seeds in (3, 5):
        yield (
            "other",
            f"AUC difference, {seeds} seeds each that do not differ",
            differences(Network(seeds=seeds, **close), Network(seeds=seeds, distance=1.6, **close)),
        )
        yield (
            "other",
            f"AUC difference, {seeds} seeds each that differ",
            differences(Network(seeds=seeds, **far), Network(seeds=seeds, distance=1.6, **far)),
        )
    for seeds, noise, shift in ((1, 0.0, 0.0), (3, 0.3, 0.0), (3, 0.3, 0.15)):
        network, note = Network(seeds=seeds, noise=noise, shift=shift), f"{seeds} seed{'s' * (seeds > 1)}"
        note += " that differ" if shift else ""
        yield "other", f"rejection, 3 to 12 events pass, {note}", rejections(network, (3, 12), 0.5, False)
        yield "other", f"rejection, 12 to 60 events pass, {note}", rejections(network, (12, 60), 0.5, False)
        yield (
            "limit",
            f"rejection's limit, 0.3 to 3 events pass, {note}",
            rejections(network, (0.3, 3), 0.5, True),
        )
    few = Network(signal=60, background=5000)
    yield (
        "other",
        "rejection, 60 signal, 5,000 background events, 1 seed",
        rejections(few, (30, 300), 0.5, False),
    )
    for weights in WEIGHTS:
        for mean in (0.5, 2.0, 5.0, 20.0):
            yield (
                "count",
                f"yield, {weights}, {mean:g} events expected",
                yields(weights, mean, ONE_SIGMA, False),
            )
            yield (
                "limit",
                f"yield's limit, {weights}, {mean:g} events expected",
                yields(weights, mean, 0.9, True),
            )
    for mean in (0.5, 3.0, 10.0):
        yield (
            "count",
            f"Garwood, {mean:g} events expected",
            lambda rng, mean=mean: bool(np.subtract(*np.sign(np.subtract(garwood(rng.poisson(mean)), mean)))),
        )
    yield (
        "count",
        "Clopper-Pearson, 10 % of 40",
        lambda rng: bool(np.subtract(*np.sign(np.subtract(clopper_pearson(rng.binomial(40, 0.1), 40), 0.1)))),
    )
    yield "other", "significance, 50 signal, 100 background events", significances(50, 100)
    yield "other", "significance, 200 signal, 25 background events", significances(200, 25)
    yield "other", "efficiency of a cut, 48 of 400 events pass", efficiencies
    yield (
        "other",
        "AUC, 8 of 108 background events weigh 100 times as much",
        areas(Network(300, 108), "heavy"),
    )
    for low, high in ((0.1, 1.0), (1.0, 5.0)):
        note = f"{low:g} to {high:g} events of 100 times the weight pass"
        yield "count", f"rejection, 10 light and {note}", mixtures(10.0, (low, high), False)
        yield "limit", f"rejection's limit, 1 light and {note}", mixtures(1.0, (low, high), True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--toys", type=int, default=2000, help="toys per line (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers")
    parser.add_argument("--only", default="", help="lines that begin with this")
    options = parser.parse_args()
    failed = 0
    print(f"{options.toys} toys per line, nominal {ONE_SIGMA:.4f}, limits 0.95")
    for number, (kind, what, toy) in enumerate(lines()):
        if not what.startswith(options.only):
            continue
        rng = np.random.default_rng([options.seed, number])
        share = sum(bool(toy(rng)) for _ in range(options.toys)) / options.toys
        error = np.sqrt(max(share * (1 - share), 1e-3) / options.toys)
        nominal = 0.95 if kind == "limit" else 0.68
        # fewer toys than asked for by default: bands wider by what they fluctuate more
        slack = 0.0 if options.toys >= 2000 else 2 * error
        good = 0.63 - slack <= share <= 0.73 + slack if kind == "other" else share >= nominal - 2 * error
        wanted = "0.63 to 0.73" if kind == "other" else f"at least {nominal}"
        print(f"{'ok  ' if good else 'FAIL'} {share:.3f} ± {error:.3f}  {wanted:>14}  {what}", flush=True)
        failed += not good
    print(
        f"{failed} of the intervals fail" if failed else "every interval holds the truth as often as it says"
    )
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
