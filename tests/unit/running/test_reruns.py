"""Every key goes where it should, and the document says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from jetlens.running.reruns import NO_RULE, example, rules_of_columns, rules_of_keys, with_table
from tests.conftest import ROOT

NETWORKS = {"train_network", "train_companion"}
TRAININGS = NETWORKS | {"train_boosting"}
LIMITS = {"figure_limits", "figure_limits_of_all", "figure_postfit", "figure_significance"}
"""Figures that tell the luminosity."""
FITS = LIMITS | {
    "figure_closure",
    "figure_luminosity",
    "figure_pulls",
    "figure_sculpting",
    "figure_variations",
}
SELECTION = {"skim", "vary"} | TRAININGS  # trainings keep the selection, to score new files with it


@pytest.fixture(scope="module")
def keys() -> dict[str, set[str]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return rules_of_keys(*example())


@pytest.mark.parametrize(
    ("key", "rules"),
    [
        (
            "luminosity_fb",
            {
                "cutflow",
                "normalisation",
                "application_summary",
                "figure_kinematics",
                "figure_cutflow",
                "limit",
                "limits",
            }
            | LIMITS,
        ),
        ("reading.memory_gb", set()),
        ("training.memory_gb", set()),
        ("training.seeds", set()),
        ("training.backend", NETWORKS),
        ("training.epochs", NETWORKS),
        ("training.weights", TRAININGS),
        ("skim.cuts[].name", {"cutflow"}),
        ("skim.cuts[].min", SELECTION),
        ("features.streams.<stream>.features", {"stream_features", "varied_features"} | TRAININGS),
        ("features.split.seed", {"event_features", "varied_features"} | TRAININGS),
        ("variations.<variation>.scale.<column>", {"vary"}),
        ("variations.<variation>.up", {"weigh"}),
        ("variations.<variation>.size", {"templates"}),
        ("models.<variant>.iterations", {"train_boosting"}),
        ("models.<variant>.width", NETWORKS),
        ("evaluation.background_uncertainty", {"significance", "templates"}),
        ("explanation.bins", {"figure_attention", "figure_relevance"}),
        ("explanation.permutations", {"explain"}),
        ("explanation.companion_epochs", {"train_companion"}),
        ("explanation.permuted_labels", set()),
        ("figures.kinematics.<quantity>.label", {"figure_kinematics"}),
        (
            "figures.processes.<process>.color",
            {"figure_kinematics", "figure_cutflow", "figure_scores"}
            | {"figure_postfit", "figure_sculpting", "figure_variations"},
        ),
        (
            "figures.variants.<variant>.label",
            {"figure_roc", "figure_rejection", "figure_training", "figure_scores"} | FITS,
        ),
        (
            "figures.variants.<variant>.color",
            {
                "figure_roc",
                "figure_rejection",
                "figure_significance",
                "figure_luminosity",
                "figure_limits_of_all",
            },
        ),
    ],
)
def test_keys_go_to_the_rules_whose_results_they_change(
    keys: dict[str, set[str]], key: str, rules: set[str]
) -> None:
    assert keys[key] == rules


def test_every_key_goes_somewhere_or_is_known_to_go_nowhere(keys: dict[str, set[str]]) -> None:
    """A key that no rule gets does nothing, unless it decides which jobs there are, or is memory."""
    idle = {key for key, rules in keys.items() if not rules}
    assert idle - set(NO_RULE) == {"reading.memory_gb", "training.memory_gb"}


def test_columns_of_the_sample_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process, a cross section or a mass is read by no training; a role is the class."""
    monkeypatch.chdir(ROOT)
    found = rules_of_columns(*example())
    # templates: the ratio of a sample's to that of one that stands for it in a variation
    assert found["cross_section_pb"] == {"cutflow", "normalisation", "application_summary", "templates"}
    assert {"templates", "limit"} <= found["mass_GeV"]
    assert not {"event_features", "evaluate", "explain", "score_events"} & found["mass_GeV"]
    assert {"event_features", "classes"} <= found["role"]
    assert not TRAININGS & set.union(*found.values())


def test_the_document_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renew it with ``python -m jetlens.running.reruns``."""
    monkeypatch.chdir(ROOT)
    text = Path("docs/reruns.md").read_text(encoding="utf-8")
    assert with_table(text, *example()) == text
