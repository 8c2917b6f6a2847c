import csv
import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from jetlens.config.evaluation import FiguresConfig, Histogram
from jetlens.config.samples import Sample
from jetlens.errors import FileError, NoEventsError
from jetlens.evaluation.scores import read_scores, write_scores
from jetlens.explanation.mapfile import read_maps
from jetlens.features.featurefile import FeatureSet
from jetlens.figures.attention import draw_attention
from jetlens.figures.cutflow import draw_cutflow
from jetlens.figures.events import draw_single_events
from jetlens.figures.faithfulness import draw_faithfulness
from jetlens.figures.images import draw_jet_images
from jetlens.figures.kinematics import draw_kinematics
from jetlens.figures.matrices import draw_attention_matrices
from jetlens.figures.methods import draw_methods
from jetlens.figures.palette import curve_looks, process_looks, variant_looks
from jetlens.figures.relevance import draw_relevance
from jetlens.figures.roc import draw_rejection, draw_roc
from jetlens.figures.scores import draw_scores
from jetlens.figures.subjets import draw_subjet_map
from jetlens.figures.training import draw_training
from jetlens.figures.values import read_values
from jetlens.files import read_json

MASS = Histogram(quantity="fat_jets[0].mass", label="$m(J_1)$", unit="GeV", bins=20, min=50, max=150)


VARIANTS = variant_looks(FiguresConfig(), ["gradient_boosting", "cross_attention_three_stream"])


@pytest.fixture
def parts(demo_features):
    folders = list(demo_features.values())
    return [folder.with_suffix(".parquet") for folder in folders], [f / "event.npz" for f in folders]


@pytest.fixture
def scales(demo_features):
    return next(iter(demo_features.values())).parent / "normalisation.json"


@pytest.fixture
def processes(demo_features):
    """Looks of the processes of ``demo_features``, as the table makes them of a sample table."""
    roles = {name: "signal" if name.startswith("signal") else "background" for name in demo_features}
    samples = {name: Sample(name, name, role, {}, 1.0) for name, role in roles.items()}
    return process_looks(FiguresConfig(), samples)


def test_kinematics_counts_every_event_once(check, parts, scales, normalisation, look, processes):
    skims, features = parts
    rows = check(
        lambda outputs, csv: draw_kinematics(
            skims,
            features,
            scales,
            outputs,
            csv,
            histogram=MASS,
            processes=processes,
            luminosity_fb=3,
            figures=look,
        )
    )
    for path in features:
        content = normalisation.apply(FeatureSet.read(path.parent, []))
        own = [row for row in rows if row["process"] == path.parent.name]
        assert len(own) == 20
        # what lies beyond the axis is in the first and last bin
        assert sum(float(row["events"]) for row in own) == pytest.approx(content.weight.sum(), rel=1e-6)
        error = np.sqrt(sum(float(row["error"]) ** 2 for row in own))
        assert error == pytest.approx(np.sqrt((content.weight**2).sum()), rel=1e-6)
        assert sum(float(row["share"]) for row in own) == pytest.approx(1, rel=1e-5)


def test_signals_of_several_masses_are_drawn_one_by_one(
    check, parts, scales, evaluations, look, demo_features
):
    signal, other, *rest = sorted(demo_features, key=lambda name: not name.startswith("signal"))
    masses = {signal: 800.0, other: 1000.0}
    samples = {
        name: Sample(name, "H", "signal", {}, 1.0, mass_gev=masses[name])
        if name in masses
        else Sample(name, name, "background", {}, 1.0)
        for name in demo_features
    }
    looks, apart = curve_looks(FiguresConfig(), samples)
    shared = {"processes": looks, "apart": apart, "figures": look}
    rows = check(
        lambda outputs, csv: draw_kinematics(
            *parts, scales, outputs, csv, histogram=MASS, luminosity_fb=3, **shared
        )
    )
    assert {row["process"] for row in rows} == {"H, 800 GeV", "H, 1000 GeV", *rest}
    scores = evaluations[0] / "scores.npz"
    rows = check(
        lambda outputs, csv: draw_scores(scores, [], outputs, csv, label="v", applications={}, **shared)
    )
    assert {row["process"] for row in rows} == {"H, 800 GeV", "H, 1000 GeV", *rest}


def test_joined_quantities(parts):
    names = {"ratio": "fat_jets[0].tau2 / fat_jets[0].tau1", "a": "fat_jets[0].tau2", "b": "fat_jets[0].tau1"}
    number, values = read_values(parts[0][0], names)
    there = values["b"] > 0
    np.testing.assert_allclose(values["ratio"][there], (values["a"] / values["b"])[there])
    assert len(number) == len(values["ratio"])


def test_kinematics_refuses_files_that_do_not_belong_together(parts, scales, look, processes, tmp_path):
    skims, features = parts
    with pytest.raises(FileError, match="its events are not those of"):
        draw_kinematics(
            skims,
            features[::-1],
            scales,
            [tmp_path / "a.png"],
            tmp_path / "a.csv",
            histogram=MASS,
            processes=processes,
            luminosity_fb=3000,
            figures=look,
        )
    assert not list(tmp_path.iterdir())


def test_a_histogram_without_a_range_is_found_before_anything_runs():
    with pytest.raises(ValueError, match="not below"):
        Histogram(quantity="met.pt", label="m", min=1, max=1)


def test_cutflow(check, parts, look, tmp_path_factory):
    from jetlens.skim.cutflow import write_cutflow_table

    jsons = [path.with_suffix(".json") for path in parts[0]]
    samples = [
        Sample(path.stem, "process tt̄" if i else "signal", "background", {}, 10.0**i)
        for i, path in enumerate(parts[0])
    ]
    table = tmp_path_factory.mktemp("cutflow") / "cutflow.csv"
    write_cutflow_table(jsons, samples, 3000, table)
    processes = process_looks(FiguresConfig(), {sample.name: sample for sample in samples})
    rows = check(
        lambda outputs, csv: draw_cutflow(
            table, outputs, csv, processes=processes, luminosity_fb=3000, figures=look
        )
    )
    expected = list(csv.DictReader(table.open(encoding="utf-8")))
    assert [float(row["efficiency"]) for row in rows] == pytest.approx(
        [float(row["efficiency"]) for row in expected], rel=1e-6
    )


def evaluated(folders):
    return [folder / "roc.csv" for folder in folders], [folder / "metrics.json" for folder in folders]


def test_roc(check, evaluations, look):
    rows = check(
        lambda outputs, csv: draw_roc(*evaluated(evaluations), outputs, csv, variants=VARIANTS, figures=look)
    )
    assert list(dict.fromkeys(row["variant"] for row in rows)) == [
        "gradient_boosting",
        "cross_attention_three_stream",
    ]
    x, y = (
        np.array([float(row[k]) for row in rows if row["variant"] == "gradient_boosting"])
        for k in ("signal_efficiency", "background_efficiency")
    )
    auc = read_json(evaluations[0] / "metrics.json")["auc"]
    assert np.trapezoid(1 - y, x) == pytest.approx(auc, abs=0.01)


def test_rejection(check, evaluations, look):
    assert check(
        lambda outputs, csv: draw_rejection(
            *evaluated(evaluations), outputs, csv, variants=VARIANTS, figures=look
        )
    )


def test_scores_of_an_application_sample_are_drawn_beside(
    check, evaluations, look, processes, tmp_path_factory
):
    sums = dict.fromkeys(
        ("generated_events", "generated_weight", "generated_weight_squared"), np.array([20.0])
    )
    # two rotations of one seed, which agree on all events but one in four
    first = np.repeat([-30.0, 0.1, 0.1, 30.0], 5)
    logits = np.stack([first, np.repeat([-30.0, 0.1, -30.0, 30.0], 5)])
    files = [tmp_path_factory.mktemp("applied") / name / "part.npz" for name in "abcd"]
    for file in files:
        file.parent.mkdir()
        weight = np.repeat([1.0, 1.0, 1.0, 5.0], 5)
        np.savez(file, logits=logits, rotation=np.array([0, 1]), weight=weight, **sums)
    # one of them is called like a process of the test events, two like one another
    scores = read_scores(evaluations[0] / "scores.npz")
    own = str(scores.process_names[0])
    two = files[0].parent / "scores.npz"  # as of two rotations that are on one scale already
    scale = {"ensemble_offset": np.zeros(2), "ensemble_slope": np.ones(2)}
    write_scores(two, dataclasses.replace(scores, **scale))
    rows = check(
        lambda outputs, csv: draw_scores(
            two,
            files,
            outputs,
            csv,
            label="v",
            figures=look,
            processes=processes,
            applications={"a": "Data", "b": own, "c": "More", "d": "More"},
        )
    )
    for name in ("Data", f"{own}, b", "More, c", "More, d"):
        drawn = [row for row in rows if row["process"] == name]
        assert [share_of(row) for row in drawn] == pytest.approx([0.1875, 0.1875, 0.625])
        assert drawn[0]["events"] == "20"


def share_of(row):
    return float(row["density"]) * (float(row["high"]) - float(row["low"]))


def test_scores_fill_every_bin(check, evaluations, look, processes):
    rows = check(
        lambda outputs, csv: draw_scores(
            evaluations[0] / "scores.npz",
            [],
            outputs,
            csv,
            label="v",
            figures=look,
            processes=processes,
            applications={},
        )
    )
    scores = read_scores(evaluations[0] / "scores.npz")
    for name in scores.process_names:
        own = [row for row in rows if row["process"] == name]
        assert sum(share_of(row) for row in own) == pytest.approx(1, abs=1e-5)
        output = 1 / (1 + np.exp(-scores.ensemble[scores.process_names[scores.sample] == name]))
        edges = [float(row["low"]) for row in own] + [1.0]
        assert min(np.histogram(output, edges)[0]) >= 5
        assert all(
            float(row["density_low"]) < float(row["density"]) < float(row["density_high"]) for row in own
        )


def test_training(check, demo_networks, look):
    histories = [folder / "history.csv" for folder in demo_networks]
    rows = check(lambda outputs, csv: draw_training(histories, outputs, csv, label="v", figures=look))
    assert {row["seed"] for row in rows} == {"1", "2"}


GRID = {"bins": 10, "half_width": 0.8}


@pytest.mark.parametrize("quantity", ["relative"])
def test_attention(check, explanation, look, quantity):
    rows = check(
        lambda outputs, csv: draw_attention(
            explanation / "attention.npz", outputs, csv, figures=look, quantity=quantity, **GRID
        )
    )
    content = read_maps(explanation / "attention.npz", **GRID)
    centres = (content["edges"][1:] + content["edges"][:-1]) / 2
    for row in rows[:: max(1, len(rows) // 20)]:
        index = (
            content["maps"].tolist().index(row["map"]),
            content["classes"].tolist().index(row["class"]),
            content["streams"].tolist().index(row["jet"]),
            int(np.argmin(np.abs(centres - float(row["delta_eta"])))),
            int(np.argmin(np.abs(centres - float(row["delta_phi"])))),
        )
        assert float(row["value"]) == pytest.approx(content[quantity][index], rel=1e-5)
        assert content["entries"][index[1:]] >= 10


def test_relevance(check, explanation, look):
    rows = check(
        lambda outputs, csv: draw_relevance(explanation / "gradcam.npz", outputs, csv, figures=look, **GRID)
    )
    assert {row["map"] for row in rows} == {"towards signal", "towards background"}


def test_single_events(check, explanation, look):
    maps = explanation / "leave_one_out.npz"
    rows = check(
        lambda outputs, csv: draw_single_events(maps, outputs, csv, figures=look, half_width=0.8, events=3)
    )
    content = read_maps(maps, single=3)
    assert len(rows) == content["single_mask"].sum()
    # the average constituent of an event is worth one, unless the map is empty
    for number in content["single_event_number"]:
        own = [float(row["worth"]) for row in rows if int(row["event_number"]) == number]
        assert np.mean(own) == pytest.approx(1, abs=1e-4) or not any(own)


def test_subjet_maps_print_their_null_test(check, explanation, look):
    rows = check(
        lambda outputs, csv: draw_subjet_map(explanation / "leave_one_out.npz", outputs, csv, figures=look)
    )
    assert len([row for row in rows if row["part"] == "turned chi2"]) >= 50
    assert any("turned maps" in text.get_text() for text in check.figures[-1].texts)


def test_all_methods_stand_side_by_side(check, explanation, look):
    maps = [explanation / f"{name}.npz" for name in ("leave_one_out", "gradcam")]
    tests = explanation / "faithfulness.json"
    rows = check(lambda outputs, csv: draw_methods(maps, tests, outputs, csv, figures=look))
    content = read_json(tests)
    for row in (row for row in rows if row["quantity"] == "logit lost"):
        orders = content["tests"][row["class"]][row["way"]]["orders"]
        assert float(row["value"]) == orders[row["method"]]["comprehensiveness"]["0.2"][0]
    assert {row["method"] for row in rows} == {"leave_one_out", "gradcam"}
    labels = [axes.get_ylabel() for axes in check.figures[-1].axes]
    for method, title in (("leave_one_out", "leave one out"), ("gradcam", "Grad-CAM")):
        word = content["verdicts"][method]["verdict"].partition(":")[0]
        assert f"{title}\n({word})" in labels


def test_attention_matrices(check, explanation, look):
    maps = explanation / "attention.npz"
    rows = check(lambda outputs, csv: draw_attention_matrices(maps, outputs, csv, figures=look))
    content = read_maps(maps)
    for row in rows[:: len(rows) // 20]:
        index = (int(row["class"] == "background"), int(row["head"]) - 1, int(row["query"]), int(row["key"]))
        assert float(row["attention"]) == pytest.approx(content[f"matrix_{row['layer']}"][index], rel=1e-5)


def test_faithfulness(check, explanation, look):
    rows = check(
        lambda outputs, csv: draw_faithfulness(explanation / "faithfulness.json", outputs, csv, figures=look)
    )
    assert {"leave_one_out", "relevance", "gradcam", "attention", "pt", "d0", "best"} < {
        row["order"] for row in rows
    }


def test_jet_images_hold_the_jets(check, parts, scales, look):
    streams = [path.with_name(f"{name}.npz") for path in parts[1] for name in ("jet1", "jet2")]
    rows = check(
        lambda outputs, csv: draw_jet_images(
            parts[1], streams, scales, outputs, csv, figures=look, contained=0.999
        )
    )
    for jet in ("jet1", "jet2"):
        for name in ("signal", "background"):
            own = [row for row in rows if row["jet"] == jet and row["class"] == name]
            share, along, across = (
                np.array([float(row[key]) for row in own]) for key in ("pt_share", "along", "across")
            )
            assert share.sum() == pytest.approx(1, abs=3e-3)
            # in the common frame: centred, upright, the harder half on top
            assert (share * along).sum() == pytest.approx(0, abs=0.01)
            assert (share * along**2).sum() > 1.5 * (share * across**2).sum()
            assert share[along > 0].sum() > 0.5


def test_jet_images_need_both_classes(parts, scales, look, tmp_path):
    with pytest.raises(NoEventsError, match="no background event"):
        draw_jet_images(
            parts[1][:1],
            [parts[1][0].with_name("jet1.npz")],
            scales,
            [tmp_path / "a.png"],
            tmp_path / "a.csv",
            figures=look,
        )


def test_missing_inputs_and_other_formats_are_named(evaluations, look, tmp_path):
    with pytest.raises(FileError, match="run the evaluation stage first"):
        draw_roc(
            *evaluated([tmp_path]), [tmp_path / "a.png"], tmp_path / "a.csv", variants=VARIANTS, figures=look
        )
    with pytest.raises(FileError, match=r"\.pdf or \.png, not '\.jpg'"):
        draw_roc(
            *evaluated(evaluations), [tmp_path / "a.jpg"], tmp_path / "a.csv", variants=VARIANTS, figures=look
        )
    assert not list(tmp_path.iterdir())


def test_figures_start_without_a_deep_learning_library():
    code = (
        "import sys, pkgutil, importlib, jetlens.figures as f\n"
        "for m in pkgutil.iter_modules(f.__path__): importlib.import_module(f'jetlens.figures.{m.name}')\n"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'jax', 'torch', 'sklearn')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
