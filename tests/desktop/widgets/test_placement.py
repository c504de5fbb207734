"""Where a picture lies in a view: properties that hold at any size, zoom and place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPointF, QRectF, QSizeF

from partcraft_desktop.widgets.placement import Placement, label_rect

sides = st.integers(1, 8000)
views = st.floats(20, 4000)
margins = st.sampled_from([0.0, 8.0, 16.0])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("zoom"), st.floats(0.05, 20), st.floats(0, 1), st.floats(0, 1)),
        st.tuples(st.just("move"), st.floats(-3000, 3000), st.floats(-3000, 3000), st.just(0.0)),
        st.tuples(st.just("resize"), views, views, st.just(0.0)),
        st.tuples(st.just("fit"), st.just(0.0), st.just(0.0), st.just(0.0)),
    ),
    max_size=8,
)


@st.composite
def placements(draw: st.DrawFn) -> Placement:
    """A picture that was zoomed, moved and whose view was resized in any order."""
    placement = Placement.fitted(draw(sides), draw(sides), draw(views), draw(views), draw(margins))
    for name, a, b, c in draw(steps):
        if name == "zoom":
            placement = placement.zoomed(a, QPointF(b * placement.view_width, c * placement.view_height))
        elif name == "move":
            placement = placement.moved(a, b)
        elif name == "resize":
            placement = placement.resized(a, b)
        else:
            placement = placement.refitted()
    return placement


@given(placement=placements(), across=st.floats(-0.5, 1.5), down=st.floats(-0.5, 1.5))
def test_there_and_back_is_the_same_point(placement: Placement, across: float, down: float) -> None:
    point = QPointF(across * placement.width, down * placement.height)
    back = placement.to_picture(placement.to_view(point))
    near = 1e-6 * (1 + max(placement.width, placement.height))
    assert abs(back.x() - point.x()) < near and abs(back.y() - point.y()) < near


@given(placement=placements(), data=st.data())
def test_the_pixel_that_is_seen_is_the_pixel_that_is_hit(placement: Placement, data: st.DataObject) -> None:
    x = data.draw(st.integers(0, placement.width - 1))
    y = data.draw(st.integers(0, placement.height - 1))
    assert placement.pixel_at(placement.to_view(QPointF(x + 0.5, y + 0.5))) == (x, y)


@given(placement=placements())
def test_a_picture_is_never_lost_nor_loose(placement: Placement) -> None:
    rect = placement.rect
    assert placement.scale >= placement.fit_scale * 0.999
    for across, low, high, view in (
        (True, rect.left(), rect.right(), placement.view_width),
        (False, rect.top(), rect.bottom(), placement.view_height),
    ):
        if high - low > view:
            assert low <= placement.margin + 0.01 and high >= view - placement.margin - 0.01
        elif across:
            assert abs((low + high) / 2 - view / 2) < 0.01
        else:
            assert -0.01 <= low <= (view - (high - low)) / 2 + 0.01


@given(width=sides, height=sides, wide=st.floats(64, 4000), high=views, higher=views, margin=margins)
def test_a_longer_view_leaves_a_picture_where_it_is(
    width: int, height: int, wide: float, high: float, higher: float, margin: float
) -> None:
    high, higher = max(high, wide), max(higher, wide)
    one = Placement.fitted(width, height, wide, high, margin)
    other = Placement.fitted(width, height, wide, higher, margin)
    if width >= height:
        assert one.scale == other.scale and one.x == other.x and abs(one.y - other.y) < 0.01
        assert abs(one.rect.center().y() - wide / 2) < 0.01 or abs(one.y - margin) < 0.01


@given(placement=placements(), across=st.floats(0.1, 0.9), down=st.floats(0.1, 0.9))
def test_zooming_in_keeps_the_point_under_the_pointer(placement: Placement, across: float, down: float) -> None:
    at = QPointF(across * placement.view_width, down * placement.view_height)
    larger = placement.zoomed(1.5, at)
    before, after = placement.to_picture(at), larger.to_picture(at)
    if placement.rect.contains(at):
        rect = larger.rect
        fills = rect.width() > placement.view_width and rect.height() > placement.view_height
        held = rect.left() < placement.margin - 0.01 and rect.top() < placement.margin - 0.01
        held = held and rect.right() > placement.view_width - placement.margin + 0.01
        held = held and rect.bottom() > placement.view_height - placement.margin + 0.01
        if fills and held:
            near = 1e-6 * (1 + max(placement.width, placement.height))
            assert abs(before.x() - after.x()) < near and abs(before.y() - after.y()) < near


@given(placement=placements())
def test_fitting_shows_all_of_it(placement: Placement) -> None:
    whole = placement.refitted()
    assert whole.is_fitted
    room = QRectF(0, 0, placement.view_width, placement.view_height).adjusted(-0.01, -0.01, 0.01, 0.01)
    assert room.contains(whole.rect) or min(placement.view_width, placement.view_height) < 2 * placement.margin + 2


boxes = st.tuples(st.floats(-900, 900), st.floats(-900, 900), st.floats(1, 900), st.floats(1, 900))


@given(box=boxes, width=st.floats(10, 300), height=st.floats(10, 40))
def test_a_label_never_leaves_the_view(box: tuple[float, float, float, float], width: float, height: float) -> None:
    inside = QRectF(6, 6, 640, 480)
    rect = label_rect(QSizeF(width, height), QRectF(*box), inside)
    assert inside.adjusted(-0.01, -0.01, 0.01, 0.01).contains(rect)


def test_a_label_stands_at_the_edge_of_its_part() -> None:
    inside = QRectF(0, 0, 400, 400)
    size = QSizeF(80, 20)
    assert label_rect(size, QRectF(100, 100, 60, 60), inside, 8).bottom() == 92
    assert label_rect(size, QRectF(100, 0, 60, 60), inside, 8).top() == 68
    assert label_rect(size, QRectF(100, 0, 60, 400), inside, 8).left() == 168


def test_another_picture_of_the_same_shape_is_seen_in_the_same_rectangle() -> None:
    zoomed = Placement.fitted(512, 512, 400, 300, 16).zoomed(1.5, QPointF(120, 90))
    for side in (128, 513, 2048):
        other = zoomed.of_picture(side, side)
        assert (other.width, other.height) == (side, side)
        assert (other.rect.toRect(), other.rect.size().toSize()) == (zoomed.rect.toRect(), zoomed.rect.size().toSize())
        assert other.of_picture(512, 512).rect.toRect() == zoomed.rect.toRect()


def test_another_picture_of_another_shape_is_fitted() -> None:
    zoomed = Placement.fitted(512, 512, 400, 300, 16).zoomed(3, QPointF(120, 90))
    assert zoomed.of_picture(300, 200) == Placement.fitted(300, 200, 400, 300, 16)
    assert zoomed.of_picture(0, 0).is_fitted or zoomed.of_picture(0, 0).width == 1
