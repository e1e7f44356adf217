"""One archive gives one answer: under the container's toolkit, under our hooks in it, and under serve.py."""

import pytest

from tests.parity.cases import DIFFERENT, POOLED, SAME, WRONG, Case
from tests.parity.conftest import Servers
from tests.parity.toolkits import Reply, assert_same


@pytest.mark.parametrize("case", SAME, ids=str)
def test_our_server_says_what_the_toolkit_says(case: Case, toolkit: dict[Case, Reply], served: Servers) -> None:
    assert toolkit[case].status == 200, toolkit[case].text

    reply = served.reply(case)

    assert reply.status == 200, reply.text
    assert_same(reply.json(), toolkit[case].json())


@pytest.mark.parametrize("case", SAME, ids=str)
def test_our_hooks_say_under_the_toolkit_what_it_says_without_them(
    case: Case, toolkit: dict[Case, Reply], hooked: dict[Case, Reply]
) -> None:
    assert hooked[case].status == 200, hooked[case].text
    assert_same(hooked[case].json(), toolkit[case].json())


@pytest.mark.parametrize("case", DIFFERENT, ids=str)
def test_what_the_toolkit_does_not_serve_is_served_by_our_server_and_by_our_hooks_in_it(
    case: Case, toolkit: dict[Case, Reply], hooked: dict[Case, Reply], served: Servers
) -> None:
    reply = served.reply(case)

    assert toolkit[case].status in (0, 400)
    assert case.toolkit in toolkit[case].text
    assert (reply.status, hooked[case].status) == (200, 200), (reply.text, hooked[case].text)
    assert case.ours in reply.text
    assert_same(hooked[case].json(), reply.json())


def test_a_sentence_is_one_vector_with_us_and_one_a_token_under_the_toolkit(
    toolkit: dict[Case, Reply], hooked: dict[Case, Reply], served: Servers
) -> None:
    """The folder says how to pool them, and the toolkit does not read it."""
    (tokens,) = toolkit[POOLED].json()
    means = [sum(column) / len(tokens) for column in zip(*tokens, strict=True)]
    length = sum(mean * mean for mean in means) ** 0.5

    ours = served.reply(POOLED).json()

    assert_same(ours, [mean / length for mean in means])
    assert_same(hooked[POOLED].json(), ours)


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_a_callers_mistake_is_a_400_everywhere_and_ours_names_the_field(
    case: Case, toolkit: dict[Case, Reply], hooked: dict[Case, Reply], served: Servers
) -> None:
    reply = served.reply(case)

    assert (toolkit[case].status, hooked[case].status, reply.status) == (400, 400, 400)
    assert case.ours in reply.json()["error"]
    assert case.ours in hooked[case].text
