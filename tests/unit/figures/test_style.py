import hist
import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from jetlens.config.evaluation import FiguresConfig
from jetlens.config.samples import Sample
from jetlens.figures.histograms import fill, filled_edges, fold, interval
from jetlens.figures.maps import position_labels
from jetlens.figures.palette import curve_looks, hatch, line, process_looks, variant_looks
from jetlens.figures.style import conditions, headroom, indexed, line_style, look, pretty, write_table
from tests.unit.figures.conftest import Checker


def test_labels():
    assert pretty("tt̄ (all-hadronic)") == "t$\\bar{t}$ (all-hadronic)"
    assert pretty("pT(J1) > 300 GeV") == "$p_T$(J1) > 300 GeV"
    assert indexed("J1+J2") == "$J_{1}$+$J_{2}$"
    figures = FiguresConfig(energy_tev=13.6)
    assert conditions(figures, 3000) == "3000 fb$^{-1}$ (13.6 TeV)"
    assert conditions(figures) == "$\\sqrt{s}$ = 13.6 TeV"


def test_axes_say_where_constituents_were_aligned():
    assert position_labels(["none", "none"]) == ("$\\Delta\\eta$", "$\\Delta\\phi$ [rad]")
    assert position_labels(["rotate", "none"])[0] == "$\\Delta\\eta$, aligned (rotate)"


def test_the_look_ends_with_its_context():
    before = dict(matplotlib.rcParams)
    with look(FiguresConfig(dpi=77)):
        assert matplotlib.rcParams["savefig.dpi"] == 77
    assert dict(matplotlib.rcParams) == before


def test_lines_differ_in_colour_and_in_dashes():
    styles = [line_style(n) for n in range(8)]
    assert len({s["color"] for s in styles}) == 8
    assert len({str(s["linestyle"]) for s in styles}) == 8


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_headroom_leaves_the_share_asked_for(scale):
    axes = Figure().add_subplot()
    axes.set_yscale(scale)
    axes.set_ylim(1, 100)
    headroom(axes, 100, 0.25)
    assert axes.transAxes.inverted().transform(axes.transData.transform((0, 100)))[1] == pytest.approx(0.75)


def test_tables_are_rounded_and_complete(tmp_path):
    write_table(tmp_path / "a.csv", {"name": ["x", "y"], "value": [1 / 3, 2.0]})
    assert (tmp_path / "a.csv").read_text() == "name,value\nx,0.3333333\ny,2\n"
    with pytest.raises(ValueError, match="same length"):
        write_table(tmp_path / "b.csv", {"name": ["x", "y"], "value": [1]})
    assert not (tmp_path / "b.csv").exists()


def test_the_check_of_texts_itself_notices_what_is_wrong():
    def figure(*places):
        drawn = Figure()
        axes = drawn.add_subplot()
        for x, y in places:
            axes.text(x, y, "some words", transform=axes.transAxes)
        return drawn

    Checker.check_texts(figure((0.1, 0.2), (0.1, 0.8)))
    with pytest.raises(AssertionError, match="overlaps"):
        Checker.check_texts(figure((0.1, 0.2), (0.12, 0.2)))
    with pytest.raises(AssertionError, match="clipped"):
        Checker.check_texts(figure((1.1, 0.2)))


def test_no_two_of_many_lines_look_alike():
    lines = [line_style(number) for number in range(64)]
    assert len({(line["color"], line["linestyle"]) for line in lines}) == 64


def test_processes_look_the_same_whatever_is_drawn():
    samples = {
        name: Sample(name, process, role, {}, 1.0)
        for name, process, role in (
            ("a", "QCD", "background"),
            ("b", "H", "signal"),
            ("c", "tt", "background"),
            ("d", "tt", "background"),
        )
    }
    looks = process_looks(FiguresConfig(), samples)
    assert list(looks) == ["QCD", "H", "tt"]
    assert len({entry["color"] for entry in looks.values()}) == 3
    assert hatch(looks["QCD"]) != hatch(looks["tt"])
    own = {"tt": {"label": "$t\\bar{t}$", "color": "#123456"}}
    chosen = process_looks(FiguresConfig(processes=own), samples)
    assert list(chosen) == ["tt", "QCD", "H"]
    assert (chosen["tt"]["label"], chosen["tt"]["color"]) == ("$t\\bar{t}$", "#123456")
    with pytest.raises(ValueError, match="string_pattern_mismatch"):
        FiguresConfig(processes={"tt": {"color": "red"}})


def test_signals_of_several_masses_are_curves_apart():
    samples = {
        name: Sample(name, process, role, {}, 1.0, mass_gev=mass)
        for name, process, role, mass in (
            ("a", "H", "signal", 800.0),
            ("b", "H", "signal", 1000.0),
            ("c", "H", "signal", 800.0),
            ("d", "A", "signal", 800.0),
            ("e", "QCD", "background", None),
        )
    }
    looks, apart = curve_looks(FiguresConfig(processes={"H": {"label": "$H$"}}), samples)
    assert apart == {"a": "H, 800 GeV", "b": "H, 1000 GeV", "c": "H, 800 GeV"}
    assert list(looks) == ["H, 800 GeV", "H, 1000 GeV", "A", "QCD"]
    assert [entry["label"] for entry in looks.values()] == ["$H$, 800 GeV", "$H$, 1000 GeV", "A", "QCD"]
    assert len({(entry["color"], str(line(entry))) for entry in looks.values()}) == 4
    elsewhere = process_looks(FiguresConfig(), samples)
    assert [line(looks[name]) for name in ("H, 800 GeV", "A")] == [
        line(elsewhere[name]) for name in ("H", "A")
    ]
    assert curve_looks(FiguresConfig(), {"d": samples["d"]}) == (
        process_looks(FiguresConfig(), {"d": samples["d"]}),
        {},
    )


def test_variants_come_in_the_order_asked_for():
    figures = FiguresConfig(variants={"b": {"label": "B"}, "gone": {}})
    looks = variant_looks(figures, ["a_b", "b"])
    assert [(name, entry["label"]) for name, entry in looks.items()] == [("b", "B"), ("a_b", "a b")]
    assert [line(entry)["linestyle"] for entry in looks.values()] == ["-", "--"]


def test_ends_are_folded_and_single_bins_filled():
    axis = hist.axis.Regular(2, 0, 2)
    folded = fold(fill(axis, [-1, 0.5, 1.5, 2, 7, np.nan], [1, 2, 3, 4, 5, 6]))
    assert folded.value.tolist() == [3, 12]
    assert folded.variance.tolist() == [5, 50]
    assert (folded.below, folded.above) == (1, 9)
    edges = np.linspace(0, 1, 11)
    values = [0.05] * 5 + [0.15, 0.35] + [0.95] * 4
    assert filled_edges(values, edges, 5).tolist() == pytest.approx([0, 0.1, 1])
    assert filled_edges([0.5], edges, 5).tolist() == [0, 1]


def test_intervals_are_garwoods_scaled():
    """Central 68.27 % intervals of 1 and 10 events: 0.173 to 3.300, 6.891 to 14.267 (PDG, Statistics)."""
    low, high = interval(np.array([1.0, 10.0, 0.0]), np.array([1.0, 10.0, 0.0]))
    assert low == pytest.approx([0.173, 6.891, 0], abs=1e-3)
    assert high == pytest.approx([3.300, 14.267, 0], abs=1e-3)
    low, high = interval(np.array([30.0]), np.array([90.0]))  # ten events of weight 3
    assert (low[0], high[0]) == pytest.approx((3 * 6.891, 3 * 14.267), abs=3e-3)
