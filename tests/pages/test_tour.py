"""The tour: each step opens its page and section, leads to the next, and is drawn on its own page only."""

from urllib.parse import parse_qs

import pytest

from tests.pages.conftest import opened
from transclipped.ui import shell, tour

STEPS = list(enumerate(tour.STEPS, 1))


def bar(app) -> list[str]:
    return [element.value for element in app.markdown if element.value.startswith("**Start here, ")]


def following(app) -> list[tuple[str, dict]]:
    """Pages and addresses of the bar's link."""
    protos = [link.proto for link in app.main.get("page_link")]
    links = [proto for proto in protos if proto.label.startswith(("Next: ", "Back to Overview"))]
    return [(proto.page, {k: v[0] for k, v in parse_qs(proto.query_string).items()}) for proto in links]


@pytest.mark.parametrize(("number", "step"), STEPS)
def test_a_step_is_drawn_on_its_page_and_leads_to_the_next(finished, number, step):
    app = opened(step.page, **({} if number == 1 else {tour.KEY: str(number)} | step.query))
    assert len(bar(app)) == 1 and f"{number} of {len(STEPS)}" in bar(app)[0]
    (page, query), after = following(app)[0], tour.STEPS[number % len(STEPS)]
    assert page == ("" if after.page == "overview" else after.page)
    assert query == after.query | ({tour.KEY: str(number + 1)} if number < len(STEPS) else {})
    for key, value in step.query.items():
        assert app.segmented_control(key=key).value == value


def test_the_tour_visits_pages_in_the_order_of_the_app():
    order = [name for name, _, _ in shell.ORDER]
    visited = [order.index(step.page) for step in tour.STEPS]
    assert visited == sorted(visited) and visited[0] == 0


def test_leaving_takes_the_bar_and_the_address_away_until_a_link_brings_it_back(finished):
    app = opened("clipping", **{tour.KEY: "2"} | tour.STEPS[1].query)
    app.button(key="leave tour").click().run()
    assert not bar(app) and tour.KEY not in app.query_params
    app.query_params[tour.KEY] = "2"
    assert bar(app.run())


def test_the_first_step_can_be_left(finished):
    app = opened("overview")
    assert bar(app) and not bar(app.button(key="leave tour").click().run())


@pytest.mark.parametrize("value", ["", "0", "6", "two", "-1", "1"])
def test_no_bar_for_another_page_or_nonsense(finished, value):
    assert not bar(opened("clipping", **{tour.KEY: value}))
    assert not bar(opened("retrieval", **{tour.KEY: "2"}))
