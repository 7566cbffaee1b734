import numpy as np
import pytest

from lafe.data.partbirds.geometry import curve, frame, place, ribbon, rotation, spline, within

POINTS = np.array([(0.0, 0.0), (1.0, 0.2), (1.2, 1.0), (0.1, 0.9)])


def test_smooth_curves_run_through_their_points():
    for line in (spline(POINTS), curve(POINTS)):
        distances = np.linalg.norm(line[:, None] - POINTS, axis=2)
        assert distances.min(axis=0) == pytest.approx(0, abs=1e-12)


def test_an_open_curve_starts_and_ends_at_its_ends():
    assert curve(POINTS)[[0, -1]].tolist() == POINTS[[0, -1]].tolist()


def test_a_curve_through_points_on_a_line_stays_on_it():
    line = curve([(0, 0), (1, 2), (2, 4)])
    np.testing.assert_allclose(line[:, 1], 2 * line[:, 0], atol=1e-12)


def test_a_ribbon_is_as_wide_as_said_all_along():
    outline = ribbon([(0, 0), (1, 0), (2, 0)], (0.2, 0.6, 0.4))
    there, back = outline[:3], outline[3:][::-1]
    np.testing.assert_allclose(there[:, 0], (0, 1, 2))
    np.testing.assert_allclose(abs(there[:, 1] - back[:, 1]), (0.2, 0.6, 0.4))


def test_a_quarter_turn_carries_x_to_y():
    np.testing.assert_allclose(rotation(90, [(1, 0), (0, 1)]), [(0, 1), (-1, 0)], atol=1e-12)


def test_a_frame_in_a_frame_places_what_both_do_one_after_the_other():
    outer = frame((3, 1), (0, 2), (-1, 0))
    inner = frame((0.5, 0.5), (1, 1), (0, 3))
    np.testing.assert_allclose(
        place(within(outer, inner), POINTS), place(outer, place(inner, POINTS))
    )
    np.testing.assert_allclose(place(outer, [(1, 0)]), [(3, 3)])
