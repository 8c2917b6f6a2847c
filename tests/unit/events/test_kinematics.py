import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jetlens.events.kinematics import cartesian, energy, from_cartesian, wrap_phi


@given(st.floats(-50, 50))
@settings(max_examples=200, deadline=None)
def test_wrapped_angles_stay_the_same_direction(phi: float) -> None:
    wrapped = wrap_phi(np.array([phi]))[0]
    assert -np.pi < wrapped <= np.pi
    assert np.isclose(np.cos(wrapped), np.cos(phi), atol=1e-9)
    assert np.isclose(np.sin(wrapped), np.sin(phi), atol=1e-9)


def test_wrapping_leaves_angles_inside_untouched() -> None:
    phi = np.array([-3.1415, 0.0, 3.1415], dtype=np.float32)
    assert np.array_equal(wrap_phi(phi), phi)
    assert wrap_phi(np.array([-np.pi]))[0] == np.pi


@given(st.floats(0.1, 1e3), st.floats(-4, 4), st.floats(-3.1, 3.1), st.floats(0.1, 200))
@settings(max_examples=100, deadline=None)
def test_round_trip(pt: float, eta: float, phi: float, mass: float) -> None:
    arrays = [np.array([x]) for x in (pt, eta, phi, mass)]
    back = from_cartesian(cartesian(*arrays))
    assert np.allclose([x[0] for x in back], [pt, eta, phi, mass], rtol=1e-5, atol=1e-4)


def test_objects_along_the_beam_stay_finite() -> None:
    pt, eta, mass = np.zeros(2, np.float32), np.array([999.9, -999.9], np.float32), np.zeros(2, np.float32)
    assert np.array_equal(energy(pt, eta, mass), [0, 0])
    assert np.isfinite(cartesian(pt, eta, pt, mass)).all()
    assert all(np.isfinite(x).all() for x in from_cartesian(cartesian(pt, eta, pt, mass)))
