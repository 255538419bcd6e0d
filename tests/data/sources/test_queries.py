"""Which queries are taken: one that reads, and nothing that another reading of quotes could hide."""

import pytest

from modelmint.core.errors import InputError
from modelmint.data.sources.queries import check_query


@pytest.mark.parametrize(
    "query",
    [
        "select text, label from tickets",
        "SELECT 1;",
        "  -- all of them\n with x as (select 1) select * from x ; ;",
        "(select 1) union (select 2)",
        "select ';', \"a;b\", 'it''s', $$;$$, $a$ ; ' $a$ /* ; */ from t -- ;",
        "select 文本 from 工单",
        "select x$a$ from t",
    ],
)
def test_a_query_that_reads_is_taken(query: str) -> None:
    assert check_query(query) == query


@pytest.mark.parametrize(
    ("query", "got"),
    [
        (None, "none"),
        ("", "nothing"),
        ("-- select", "nothing"),
        ("delete from t", "begins with DELETE"),
        ("/* select */ drop table t", "begins with DROP"),
        ("explain analyze delete from t", "begins with EXPLAIN"),
        ("copy t to program 'id'", "begins with COPY"),
        ("select 1; commit; delete from t", "more than one statement"),
        ("select $a1$ ' $a1$ ; commit; delete from t; select ' '", "more than one statement"),
        ("select x$a$ ; commit; delete from t; select y$a$ from t", "more than one statement"),
        ("select 1 /* /* */ ' */ ; commit; delete from t; --'", "a comment in a comment"),
        ("select E'\\'' ; commit; delete from t; --'", "a backslash before a quote"),
        ("select 'open ; delete from t", "a quote that is not closed"),
        ("select `a;b` from t", "a quote that is not closed, or of another kind"),
        ("select '" + "x" * 100_001 + "'", "characters"),
    ],
)
def test_another_query_is_refused(query: str | None, got: str) -> None:
    with pytest.raises(InputError, match=got):
        check_query(query)
