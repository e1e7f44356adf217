"""What a benchmark says of a promise: kept exactly when the ratio reaches its bound, in table and picture alike."""

from xml.etree import ElementTree

import pytest

from benchmarks.figures import Figure, picture


def figure(ours: float, peer: float, **bounds: float) -> Figure:
    return Figure(case="read <F32>", ours=ours, peer=peer, peer_name="tar & co", unit="MB/s", **bounds)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("measured", "is_kept"),
    [
        (figure(230, 100, at_least=2.3), True),
        (figure(229, 100, at_least=2.3), False),
        (figure(1.15, 1.0, at_most=1.15), True),
        (figure(1.16, 1.0, at_most=1.15), False),
        (figure(1.0, 10.0, at_least=10.0, is_inverse=True), True),
        (figure(1.1, 10.0, at_least=10.0, is_inverse=True), False),
        (figure(1.0, 10.0), None),
    ],
)
def test_a_promise_is_kept_exactly_when_the_ratio_reaches_it(measured: Figure, is_kept: bool | None) -> None:
    assert measured.is_kept is is_kept


def test_a_peer_that_took_no_time_is_not_divided_by() -> None:
    assert figure(1.0, 0.0, at_least=2.0).ratio == float("inf")


def test_a_picture_says_what_was_promised_and_what_came_of_it() -> None:
    drawn = picture("Reading", [figure(200, 100, at_least=2.3), figure(240, 100, at_least=2.3), figure(1, 2)])

    texts = "".join(ElementTree.fromstring(drawn).itertext())
    assert "promised 2.3: NOT kept" in texts
    assert "promised 2.3: kept" in texts
    assert "read <F32>" in texts


@pytest.mark.parametrize("bounds", [{"at_least": 4.0}, {"at_most": 4.0}, {"at_least": 0.25, "is_inverse": True}])
def test_the_line_lies_where_ours_would_have_to_be(bounds: dict[str, float]) -> None:
    drawn = ElementTree.fromstring(picture("Reading", [figure(400, 100, **bounds)]))

    bar = next(each for each in drawn.iter("{http://www.w3.org/2000/svg}rect") if each.get("rx"))
    line = next(drawn.iter("{http://www.w3.org/2000/svg}line"))
    assert float(bar.attrib["x"]) + float(bar.attrib["width"]) == pytest.approx(float(line.attrib["x1"]))
