"""Do explanations find what is known to decide? Toy jets with planted constituents, all methods, three seeds.

    python benchmarks/planted.py [--events 6000] [--seeds 3] [--toy displaced_track]

Prints AUC, relevance mass and rank accuracy with their errors over events and their spread over trainings. Blind spots
to look for: Grad-CAM, and leave-one-out on redundant prongs (``two_prong``, events with a displaced track in both).
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from jetlens.config.explanation import ExplanationConfig, methods_of
from jetlens.explanation.planted import STREAM, TOYS, score, train
from jetlens.explanation.registry import METHODS

TESTED = 200


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=6000)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--toy", choices=list(TOYS), action="append")
    options = parser.parse_args()
    settings = ExplanationConfig(variants=[], methods=list(METHODS), permutations=20)
    rows = []
    for name in options.toy or TOYS:
        for seed in range(1, options.seeds + 1):
            rng = np.random.default_rng(seed)
            model = train(TOYS[name](options.events, rng), options.epochs, seed)
            test = TOYS[name](4 * TESTED, rng)
            auc = roc_auc_score(test.features.label, model.predict_logits(test.features))
            planted = test.planted.sum(axis=1)
            chosen = np.flatnonzero(planted == planted.max())[:TESTED]
            events = test.features.select(chosen)
            for method in methods_of(model.options, settings.methods):
                value = METHODS[method].explain(model, events, settings).value[0]
                found = score(value, test.planted[chosen], events.masks[STREAM])
                row = {"toy": name, "seed": seed, "AUC": auc, "method": method}
                rows.append(
                    row | {k: v[0] for k, v in found.items()} | {f"{k}_error": v[1] for k, v in found.items()}
                )
    table = pd.DataFrame(rows)
    groups = table.groupby(["toy", "method"], sort=False)
    mean = groups[["AUC", "mass", "mass_error", "rank_accuracy", "rank_accuracy_error"]].mean()
    mean["mass_spread"], mean["rank_accuracy_spread"] = groups["mass"].std(), groups["rank_accuracy"].std()
    print(mean.round(3).to_string())


if __name__ == "__main__":
    main()
