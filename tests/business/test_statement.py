from datetime import UTC, datetime, timedelta, timezone

import pytest

from modelmint.business.metering import Ingester
from modelmint.business.statement import statement
from modelmint.catalog.catalog import Catalog
from modelmint.core.errors import InputError
from tests.business.journals import NOON, event, write

JANUARY, FEBRUARY = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)


def test_a_line_has_requests_inputs_and_the_amount_to_the_cent(catalog: Catalog) -> None:
    write(catalog, *(event(f"pred_{index}", num_inputs=7) for index in range(10)))
    Ingester(catalog).run()
    (line,) = statement(catalog, since=JANUARY, until=FEBRUARY)
    assert (line.num_requests, line.num_inputs, str(line.amount)) == (10, 70, "0.04 USD")  # 0.035, half up


def test_each_price_is_a_line_of_its_own(catalog: Catalog) -> None:
    write(catalog, event("pred_1"), event("pred_2", price="1000 JPY", num_inputs=3), event("pred_3", endpoint="sales"))
    Ingester(catalog).run()
    lines = statement(catalog, since=JANUARY, until=FEBRUARY)
    assert [(line.endpoint, str(line.price), str(line.amount)) for line in lines] == [
        ("sales", "0.50 USD", "0.00 USD"),
        ("support", "0.50 USD", "0.00 USD"),
        ("support", "1000 JPY", "3 JPY"),
    ]


def test_the_end_of_a_period_is_the_beginning_of_the_next(catalog: Catalog) -> None:
    write(catalog, event("pred_1"))
    Ingester(catalog).run()
    periods = [(JANUARY, NOON), (NOON, FEBRUARY)]
    assert [len(statement(catalog, since=since, until=until)) for since, until in periods] == [0, 1]


def test_a_period_may_be_given_in_any_zone(catalog: Catalog) -> None:
    write(catalog, event("pred_1"))
    Ingester(catalog).run()
    east = timezone(timedelta(hours=8))
    assert len(statement(catalog, since=NOON.astimezone(east), until=FEBRUARY.astimezone(east))) == 1


def test_one_endpoint_can_be_asked_for(catalog: Catalog) -> None:
    write(catalog, event("pred_1"), event("pred_2", endpoint="sales"))
    Ingester(catalog).run()
    assert [line.endpoint for line in statement(catalog, "sales", since=JANUARY, until=FEBRUARY)] == ["sales"]


@pytest.mark.parametrize(("since", "until"), [(FEBRUARY, JANUARY), (datetime(2026, 1, 1), FEBRUARY)])  # noqa: DTZ001
def test_a_period_that_is_none_is_refused(catalog: Catalog, since: datetime, until: datetime) -> None:
    with pytest.raises(InputError, match="must"):
        statement(catalog, since=since, until=until)
