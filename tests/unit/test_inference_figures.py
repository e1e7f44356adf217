"""Prometheus text."""

from inference_code.tarmac_inference.figures import NUMBERS, Figures, Histogram


def test_buckets_are_cumulative_and_a_bound_belongs_to_its_bucket() -> None:
    histogram = Histogram("x", "An x.", (1, 2))
    kept = memoryview(bytearray(8 * histogram.numbers)).cast("d")
    for value in (0.5, 1, 1.5, 9):
        histogram.add(kept, value)

    lines = histogram.render(kept.tolist()).splitlines()

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

    figures.note_waiting(3)
    text = figures.render(is_ready=True)

    assert 'tarmac_requests_total{status="200"} 2' in text
    assert 'tarmac_requests_total{status="400"} 1' in text
    assert "tarmac_queue_depth 3" in text
    assert text.endswith("\n")


def test_what_several_processes_count_is_shown_as_one_and_the_dead_wait_for_nothing() -> None:
    memory = memoryview(bytearray(8 * 3 * NUMBERS)).cast("d")
    processes = [Figures(memory, place) for place in range(3)]
    for place, figures in enumerate(processes):
        figures.count_request(200, 0.01)
        figures.count_batch(4)
        figures.note_waiting(place)
    processes[0].forget_waiting(2)

    texts = {figures.render(is_ready=True) for figures in processes}

    assert len(texts) == 1
    lines = texts.pop().splitlines()
    assert {'tarmac_requests_total{status="200"} 3', "tarmac_batch_items_sum 12.000000", "tarmac_queue_depth 1"} <= {
        *lines
    }
