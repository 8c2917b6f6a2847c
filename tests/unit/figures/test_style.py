import matplotlib
import pytest
from matplotlib.figure import Figure

from jetlens.config.evaluation import FiguresConfig
from jetlens.figures.maps import position_labels
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
    with pytest.raises(ValueError, match="shorter"):
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
