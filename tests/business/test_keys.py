import time

import pytest
import sqlalchemy as sa

from modelmint.business.keys import Keyring, create, first_key, list_keys, revoke
from modelmint.catalog.audit import entries
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.schema import keys
from modelmint.core.errors import AuthError, ForbiddenError, InputError, NotFoundError


def test_a_key_opens_what_it_has_the_scope_for(catalog: Catalog) -> None:
    made = create(catalog, "web", ["predict"])
    assert Keyring(catalog).check(made.secret, "predict").id == made.id


def test_a_key_without_the_scope_is_forbidden(catalog: Catalog) -> None:
    with pytest.raises(ForbiddenError, match="needs the scope admin; 'web' has predict"):
        Keyring(catalog).check(create(catalog, "web", ["predict"]).secret, "admin")


@pytest.mark.parametrize("presented", ["", "x", "mm_", "mm_abcdefgh_short", "sk-something", f"mm_{'a' * 8}_{'é' * 52}"])
def test_what_is_no_key_is_refused(catalog: Catalog, presented: str) -> None:
    with pytest.raises(AuthError, match="needs a valid API key"):
        Keyring(catalog).check(presented, "predict")


def test_a_known_prefix_with_another_secret_is_refused(catalog: Catalog) -> None:
    secret = create(catalog, "web").secret
    with pytest.raises(AuthError):
        Keyring(catalog).check(secret[:-1] + ("0" if secret[-1] != "0" else "1"), "predict")


def test_a_revoked_key_is_refused_within_two_seconds_by_a_server_that_knew_it(catalog: Catalog) -> None:
    made, keyring = create(catalog, "web"), Keyring(catalog)
    keyring.check(made.secret, "predict")
    revoke(catalog, made.id)
    time.sleep(1.1)
    with pytest.raises(AuthError):
        keyring.check(made.secret, "predict")


def test_a_key_made_after_the_server_started_opens_at_once(catalog: Catalog) -> None:
    keyring = Keyring(catalog)
    keyring.check(create(catalog, "one").secret, "predict")
    assert keyring.check(create(catalog, "two").secret, "predict").name == "two"


def test_the_cache_answers_without_the_database(catalog: Catalog) -> None:
    made, keyring = create(catalog, "web"), Keyring(catalog)
    assert keyring.cached(made.secret, "predict") is None
    keyring.check(made.secret, "predict")
    assert keyring.cached(made.secret, "predict") is not None


def test_the_database_holds_nothing_that_opens(catalog: Catalog) -> None:
    secret = create(catalog, "web").secret
    with catalog.engine.connect() as connection:
        stored = str(connection.execute(sa.select(keys)).all())
    assert secret.rsplit("_", 1)[1] not in stored


def test_the_pepper_is_readable_by_its_owner_only(catalog: Catalog) -> None:
    create(catalog, "web")
    assert (catalog.settings.home / "pepper.key").stat().st_mode & 0o777 == 0o600


def test_the_first_key_is_shown_once(catalog: Catalog) -> None:
    secret = first_key(catalog)
    assert secret is not None
    assert Keyring(catalog).check(secret, "admin").name == "first"
    assert first_key(catalog) is None


@pytest.mark.parametrize("scopes", [[], ["root"], ["predict", "everything"]])
def test_a_scope_that_does_not_exist_is_refused(catalog: Catalog, scopes: list[str]) -> None:
    with pytest.raises(InputError, match="must be some of predict, feedback, admin"):
        create(catalog, "web", scopes)


def test_making_and_revoking_are_audited_once_each(catalog: Catalog) -> None:
    made = create(catalog, "web", actor="key_1")
    for _ in range(2):
        revoke(catalog, made.id, actor="key_2")
    assert [(each["action"], each["actor"]) for each in entries(catalog)] == [
        ("key.revoke", "key_2"),
        ("key.create", "key_1"),
    ]
    assert list_keys(catalog)[0].revoked_at is not None


def test_revoking_an_unknown_key_says_so(catalog: Catalog) -> None:
    with pytest.raises(NotFoundError, match="'key_9'"):
        revoke(catalog, "key_9")
