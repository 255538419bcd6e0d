"""Which URLs are refused for the password in them, and that no message repeats it."""

import pytest

from modelmint.core.errors import InputError
from modelmint.data.sources.secrets import refuse_password


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hunter2@host/x",
        "postgresql://u:hun/ter2@host/x",
        "POSTGRESQL+psycopg://u:hunter2@host/x",
        "postgresql:///x?password=hunter2",
        "postgresql:///x?sslmode=require&sslpassword=hunter2",
        "mysql://u:hunter2@host/x",
        "https://u:hunter2@host/a.csv",
        "s3://key:hunter2@bucket/a.csv",
        "az://container/a?account_key=hunter2",
    ],
)
def test_a_password_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InputError, match="holds a password") as caught:
        refuse_password(url)
    assert "ter2" not in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "postgresql://u@host:5432/x?sslmode=require",
        "sqlite:////home/me/a.db",
        "s3://bucket/a:b/c@d.csv",
        "https://host/a?page=1&key=public",
        "questions.csv",
        "C:\\a@b.csv",
        "owner/name",
    ],
)
def test_another_source_is_taken(source: str) -> None:
    refuse_password(source)
