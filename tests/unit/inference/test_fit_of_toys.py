"""The stage against pyhf's API by hand, closed forms, and the guards."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyhf
import pytest
import yaml
from hepdata_validator.full_submission_validator import FullSubmissionValidator
from scipy import stats

from jetlens.inference.fits import fit, yields
from jetlens.inference.hepdata import limits_table, write_record, yields_table
from jetlens.inference.hypothesis import _limits
from jetlens.inference.limits import (
    BANDS,
    _hypotest,
    discovery,
    discovery_by_luminosity,
    fitted,
    needs_toys,
    upper_limit,
)
from jetlens.inference.minimiser import minimise
from jetlens.inference.systematics import Systematic, effect
from jetlens.inference.templates import Events, fill_region
from jetlens.inference.workspace import NotComputableError, Workspace, build_workspace, patchset
from tests.unit.inference.conftest import BACKGROUNDS, events


@pytest.fixture(scope="module")
def workspace(coarse, systematics) -> Workspace:
    return build_workspace([coarse], "signal", BACKGROUNDS, systematics)


@pytest.fixture(scope="module")
def limit(workspace):
    return upper_limit(workspace, unblind=True, guess=3.0, rtol=0.01)


def by_hand(region, systematics):
    """The same model, written down without the stage's code."""
    samples = []
    for process in ("signal", *BACKGROUNDS):
        nominal = region.values(process)
        modifiers = (
            [{"name": "mu", "type": "normfactor", "data": None}]
            if process == "signal"
            else [{"name": "mc", "type": "staterror", "data": list(np.sqrt(region.variances(process)))}]
        )
        if process in systematics[0].processes:
            of = effect(systematics[0], region, process)
            modifiers.append({"name": "s", "type": "normsys", "data": {"hi": of.norm_up, "lo": of.norm_down}})
            if of.shape_up is not None:
                data = {"hi_data": list(nominal * of.shape_up), "lo_data": list(nominal * of.shape_down)}
                modifiers.append({"name": "s", "type": "histosys", "data": data})
        if process == "ttbar":
            modifiers.append({"name": "x", "type": "normsys", "data": {"hi": 1.06, "lo": 1 / 1.06}})
        samples.append({"name": process, "data": list(nominal), "modifiers": modifiers})
    spec = {"channels": [{"name": "only", "samples": samples}]}
    model = pyhf.Model(
        spec,
        poi_name="mu",
        modifier_settings={"normsys": {"interpcode": "code4"}, "histosys": {"interpcode": "code4p"}},
    )
    data = [*sum(region.values(name) for name in BACKGROUNDS), *model.config.auxdata]
    return model, data


def test_limits_are_those_of_the_model_written_by_hand(coarse, systematics, limit):
    model, data = by_hand(coarse, systematics)
    pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer(maxiter=100000))
    for point in limit.scan[:: len(limit.scan) // 2]:
        observed, expected = pyhf.infer.hypotest(
            point["mu"], data, model, test_stat="qtilde", return_expected_set=True
        )
        assert point["observed"] == pytest.approx(float(observed), rel=1e-4, abs=1e-6)
        assert point["expected"] == pytest.approx([float(x) for x in expected], rel=1e-4, abs=1e-6)


def test_templates_of_the_workspace_are_the_regions(coarse, workspace):
    assert workspace.model().config.channels == ["signal_region"]
    for sample in workspace.spec["channels"][0]["samples"]:
        np.testing.assert_allclose(sample["data"], coarse.values(sample["name"]), rtol=1e-12)


def test_an_asimov_data_set_gives_its_own_median(limit):
    assert limit.observed == pytest.approx(limit.expected[2], rel=5e-3)
    assert limit.expected == sorted(limit.expected)


def test_discovery_in_one_bin_is_the_asimov_formula():
    region = fill_region(
        "one",
        {
            "s": {"nominal": events(np.full(400, 1.0), 0.05)},
            "b": {"nominal": events(np.full(10000, 1.0), 0.01)},
        },
        [0, 2],
    )
    sized = build_workspace([region], "s", ["b"], statistical_errors=False)
    s, b = 20.0, 100.0
    assert discovery(sized) == pytest.approx(np.sqrt(2 * ((s + b) * np.log1p(s / b) - s)), rel=1e-5)
    (tenfold,) = discovery_by_luminosity(sized, 300, [3000])
    assert tenfold["significance"] == pytest.approx(np.sqrt(10) * discovery(sized), rel=1e-5)


@pytest.mark.parametrize("strength", [1.0, 0.05, 2e-4])
def test_a_significance_that_no_fit_resolves_is_the_strength_over_its_error(strength):
    """10⁹ events with 10 %: Z = s/(0.1 b), whatever the luminosity, not what rounding leaves of q₀."""
    region = fill_region(
        "one",
        {
            "s": {"nominal": events(np.full(400, 1.0), 1e7 / 400)},
            "b": {"nominal": events(np.full(10_000, 1.0), 1e5)},
        },
        [0, 2],
    )
    rate = [Systematic("rate", ("b",), "normalisation", 0.1)]
    sized = build_workspace([region], "s", ["b"], rate, statistical_errors=False)
    found = [row["significance"] for row in discovery_by_luminosity(sized, 3000, [300, 3000], strength)]
    assert found == pytest.approx([strength * 0.1] * 2, rel=0.1)


def test_an_injected_signal_is_found(workspace):
    of = fit(workspace, strength=2.0)
    pulls = of.pulls().set_index("parameter")
    assert pulls.loc["mu", "value"] == pytest.approx(2.0, abs=0.02)
    assert pulls.drop(index="mu")["pull"].abs().max() < 0.02
    impacts = of.impacts()
    assert impacts["parameter"].is_unique
    total = np.hypot.reduce(impacts[["postfit_up", "postfit_down"]].abs().max(axis=1).to_numpy())
    assert total < pulls.loc["mu", "error"]
    table = yields(workspace, of).set_index(["region", "process"])
    assert table.loc[("signal_region", "signal"), "postfit"] == pytest.approx(60, abs=1)  # 3000 · 0.01 · 2
    assert table.loc[("signal_region", "total"), "prefit"] == pytest.approx(1200 + 400 + 40 + 30)


def test_a_pull_with_the_error_at_the_truth_has_mean_zero_and_one_with_the_error_at_the_fit_has_not():
    """One count of a known background: averages over Poisson's distribution, exact; μ̂ below zero is allowed."""
    b, s, strength = 60.0, 10.0, 0.5
    region = fill_region(
        "one",
        {"s": {"nominal": events(np.full(10, 1.0))}, "b": {"nominal": events(np.full(60, 1.0))}},
        [0, 2],
    )
    mean = b + s * strength
    counts = np.arange(25, 115)
    probability = stats.poisson.pmf(counts, mean)
    assert probability.sum() == pytest.approx(1, abs=1e-6)
    workspace = build_workspace([region], "s", ["b"], statistical_errors=False, observed={"one": [50.0]})
    below = fit(workspace).pulls().set_index("parameter").loc["mu"]
    assert (below["value"], below["error"]) == pytest.approx((-1.0, np.sqrt(50.0) / s), rel=1e-4)
    model, free = workspace.model(), np.array([False])
    fits = [minimise(model, [float(n)], np.array([strength]), [[-10.0, 10.0]], free) for n in counts]
    mu, error = np.array([(found[0], np.sqrt(covariance[0, 0])) for found, _, covariance in fits]).T
    np.testing.assert_allclose(mu, (counts - b) / s, atol=1e-4)
    np.testing.assert_allclose(error, np.sqrt(counts) / s, rtol=1e-4)
    at_truth, at_fit = (mu - strength) / (np.sqrt(mean) / s), (mu - strength) / error
    assert probability @ at_truth == pytest.approx(0, abs=1e-4)
    assert probability @ at_fit == pytest.approx(-1 / (2 * np.sqrt(mean)), rel=0.05)


def test_a_process_without_events_lowers_the_significance_by_a_term_of_its_own(coarse):
    rare = {name: {"nominal": Events(*_of(coarse, name))} for name in ("signal", "qcd")}
    rare["rare"] = {"nominal": events(np.full(12, 450.0), 20.0)}
    region = fill_region("r", rare, coarse.edges)
    with_term, without = (
        build_workspace([region], "signal", ["qcd", "rare"], empty_terms=on) for on in (True, False)
    )
    assert with_term.model().config.npars == without.model().config.npars + 3
    # an excess may be events of the process that were not simulated, so it is less significant; nothing is excluded
    # more weakly: with fewer events than expected the term is at its lower end
    assert discovery(with_term, 3.0) < 0.9 * discovery(without, 3.0)
    cls = [_hypotest(1.0, each.data(), each.model(), None)[1][2] for each in (with_term, without)]
    assert cls[0] == pytest.approx(cls[1], rel=1e-3)
    assert "rare" in set(yields(with_term, fit(with_term))["process"])


def _of(region, process):
    """One event of the bin's weight in the middle of each bin."""
    middle = (region.edges[1:] + region.edges[:-1]) / 2
    weights = region.values(process) / 50
    return np.repeat(middle, 50), np.repeat(weights, 50), np.arange(50 * len(middle))


def test_a_patch_of_every_mass_gives_its_workspace(coarse, systematics):
    """Backgrounds differ from mass to mass, as where events are scored at each hypothesis."""
    workspaces = {}
    for mass, factor in ((800.0, 1.0), (1000.0, 1.3), (1500.0, 0.7)):
        region = coarse.scaled("qcd", factor).scaled("signal", 2 * factor)
        workspaces[mass] = build_workspace([region], "signal", BACKGROUNDS, systematics)
    base, patches = patchset(workspaces, dict.fromkeys(workspaces, "signal"), analysis="toy")
    content = pyhf.PatchSet(patches)
    content.verify(base)
    assert len(content.patches) == len(workspaces)
    for mass, workspace in workspaces.items():
        applied = content.apply(pyhf.Workspace(base), f"mass_{mass:g}")
        assert applied == content.apply(pyhf.Workspace(base), (mass,)) == pyhf.Workspace(workspace.spec)
    changed = {**base, "observations": [{**base["observations"][0], "data": [1.0, 1.0, 1.0, 1.0]}]}
    with pytest.raises(pyhf.exceptions.PatchSetVerificationError):
        content.verify(changed)


def test_negative_templates_are_refused_with_their_bin(coarse):
    bad = {
        "signal": {"nominal": events(np.array([500.0]))},
        "b": {"nominal": events(np.array([500.0]), -1.0)},
    }
    with pytest.raises(NotComputableError, match=r"region 'r': b has -1 expected events in 400–700"):
        build_workspace([fill_region("r", bad, coarse.edges)], "signal", ["b"])


def test_a_bin_without_background_is_refused(coarse):
    bad = {"signal": {"nominal": events(np.array([500.0]))}, "b": {"nominal": events(np.array([500.0]))}}
    with pytest.raises(NotComputableError, match="no background is expected in 700–900"):
        build_workspace([fill_region("r", bad, coarse.edges)], "signal", ["b"])


def test_a_signal_of_nothing_is_told_not_searched_for_ever(coarse):
    nothing = {
        "signal": {"nominal": events(np.array([500.0]), 1e-30)},
        "b": {"nominal": events(np.full(99, 500.0))},
    }
    region = fill_region("r", nothing, [400, 700])
    with pytest.raises(NotComputableError, match="no signal strength up to"):
        upper_limit(build_workspace([region], "signal", ["b"]))


def test_a_variation_of_everything_still_fits():
    x = np.full(400, 450.0)
    gone = {"nominal": events(x), "all_up": events(x, 2.0), "all_down": events(x, 1e-9)}
    region = fill_region("r", {"signal": {"nominal": events(np.full(10, 450.0))}, "b": gone}, [400, 700])
    workspace = build_workspace([region], "signal", ["b"], [Systematic("all", ("b",))])
    assert np.isfinite(_hypotest(3.0, workspace.data(), workspace.model(), None)[1]).all()


def test_a_strength_that_is_always_excluded_is_told():
    """A signal of 10³⁰ events; the search is for strengths of order one."""
    huge = {
        "signal": {"nominal": events(np.array([500.0]), 1e30)},
        "b": {"nominal": events(np.full(99, 500.0))},
    }
    workspace = build_workspace([fill_region("r", huge, [400, 700])], "signal", ["b"])
    with pytest.raises(NotComputableError, match=r"every signal strength down to .* is excluded; scale the"):
        upper_limit(workspace)


def test_fits_that_fail_and_results_that_are_no_numbers_are_told(monkeypatch, workspace):
    def fails(*_, **__):
        raise pyhf.exceptions.FailedMinimization(SimpleNamespace(message="no minimum\nand more"))

    with pytest.raises(NotComputableError, match=r"^the fit at mu = 1 failed: no minimum$"):
        fitted("the fit at mu = 1", fails)
    with monkeypatch.context() as patch:
        patch.setattr("jetlens.inference.limits.minimise", fails)
        with pytest.raises(NotComputableError, match=r"^the fit at mu = 1 failed: no minimum$"):
            upper_limit(workspace)
        patch.setattr("jetlens.inference.fits.minimise", fails)
        with pytest.raises(
            NotComputableError,
            match=r"^the fit of the workspace failed: no minimum; the data are .* events, .* are expected",
        ):
            fit(workspace)
        patch.setattr("jetlens.inference.limits._asymptotic", lambda *_: [np.nan] * 6)
        with pytest.raises(
            NotComputableError, match=r"CLs at mu = 2 is no number .* a template may be empty"
        ):
            _hypotest(2.0, workspace.data(), workspace.model(), None)


def test_asymptotic_limits_of_few_events_come_with_a_note():
    few = {"s": {"nominal": events(np.full(50, 1.0), 0.1)}, "b": {"nominal": events(np.full(100, 1.0), 0.03)}}
    content = {"notes": [], "limits": {}}
    workspace = build_workspace([fill_region("r", few, [0, 2])], "s", ["b"])
    _limits(workspace, content, level=0.95, toys=0, unblind=False)
    assert content["notes"] == [
        "a region expects fewer than ten events: asymptotic limits are then too low; ask for toys"
    ]
    assert content["limits"]["systematics"]["method"] == "asymptotic"


def test_few_events_call_for_toys():
    few = {"s": {"nominal": events(np.full(50, 1.0), 0.1)}, "b": {"nominal": events(np.full(100, 1.0), 0.03)}}
    region = fill_region("r", few, [0, 2])
    workspace = build_workspace([region], "s", ["b"], statistical_errors=False)
    assert needs_toys(workspace)
    np.random.seed(1)  # noqa: NPY002  pyhf draws its toys from it
    mu, toys = 1.2, 120
    observed, _ = _hypotest(mu, workspace.data(), workspace.model(), toys)
    # a single bin is a counting experiment: CLs is a ratio of Poisson probabilities of at most the three events seen
    exact = [stats.poisson.cdf(3, mean) for mean in (3 + 5 * mu, 3)]
    error = np.sqrt(exact[0] * (1 - exact[0]) / toys) / exact[1]
    assert observed == pytest.approx(exact[0] / exact[1], abs=4 * error)


def test_a_record_passes_hepdatas_validator(tmp_path, workspace, limit):
    values = dict(zip(BANDS, limit.expected, strict=True))
    table = pd.DataFrame([{"mass_gev": 1000.0, "level": 0.9, **values}])
    counts = yields(workspace, fit(workspace))
    write_record(
        tmp_path,
        {
            "limits": limits_table(table, reaction="P P --> HIGGS HIGGS", energy_tev=14, luminosity_fb=3000),
            "yields": yields_table(counts, "signal_region"),
        },
        comment="Toys.",
    )
    (column,) = yaml.safe_load((tmp_path / "limits.yaml").read_text())["dependent_variables"]
    assert column["header"]["name"] == "Expected 90% CL upper limit on sigma x B"
    validator = FullSubmissionValidator()
    assert validator.validate(directory=str(tmp_path)), validator.get_messages()
