"""Prometheus text."""

from inference_code.tarmac_inference.figures import Figures, Histogram


def test_buckets_are_cumulative_and_a_bound_belongs_to_its_bucket() -> None:
    histogram = Histogram("x", "An x.", (1, 2))
    for value in (0.5, 1, 1.5, 9):
        histogram.add(value)

    lines = histogram.render().splitlines()

    assert lines[2:] == [
        'x_bucket{le="1"} 2',
        'x_bucket{le="2"} 3',
        'x_bucket{le="+Inf"} 4',
        "x_sum 12.000000",
        "x_count 4",
    ]


def test_requests_are_counted_by_status() -> None:
    figures = Figures()
    figures.count_request(200, 0.01)
    figures.count_request(200, 0.02)
    figures.count_request(400, 0.001)

    text = figures.render(is_ready=True, waiting=3)

    assert 'tarmac_requests_total{status="200"} 2' in text
    assert 'tarmac_requests_total{status="400"} 1' in text
    assert "tarmac_queue_depth 3" in text
    assert text.endswith("\n")
