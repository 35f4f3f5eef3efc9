"""Settings: typed, named in errors, secrets never shown."""

from __future__ import annotations

import pytest

from eskit import settings
from eskit.errors import SettingsError
from eskit.settings import Settings


def test_defaults_trust_no_network() -> None:
    assert settings.load({}).host == "127.0.0.1"


def test_ours_wins_over_the_general_variable() -> None:
    environ = {"DATABASE_URL": "postgresql://a/b", "ESKIT_DATABASE_URL": "postgresql://c/d"}
    assert settings.load(environ).database_url == "postgresql://c/d"
    assert settings.load({"DATABASE_URL": "postgresql://a/b"}).database_url == "postgresql://a/b"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ESKIT_CRUD_PORT", "http"),
        ("ESKIT_CRUD_PORT", "65536"),
        ("ESKIT_LOG", "Not-A-Name"),
        ("ESKIT_LOG", "x" * 32),
        ("ESKIT_POOL_WAIT_S", "0"),
        ("ESKIT_POOL_WAIT_S", "nan"),
        ("ESKIT_LOG_LEVEL", "loud"),
        ("ESKIT_KAFKA_OPTIONS", "{"),
        ("ESKIT_KAFKA_OPTIONS", "[]"),
    ],
)
def test_a_wrong_value_names_the_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable) as caught:
        settings.load({variable: value})
    assert caught.value.field == variable


def test_secrets_are_not_shown() -> None:
    config = settings.load(
        {"ESKIT_DATABASE_URL": "postgresql://u:geheim@h/d", "ESKIT_KAFKA_OPTIONS": '{"sasl.password":"geheim"}'}
    )
    assert config.kafka_options == {"sasl.password": "geheim"}
    assert "geheim" not in repr(config)
    assert config.shown() == {"database_url": "(set)", "kafka_options": "(set)"}


def test_what_has_no_default_is_asked_for_by_name() -> None:
    with pytest.raises(SettingsError, match="ESKIT_KAFKA_BOOTSTRAP"):
        Settings().require("kafka_bootstrap")


def test_schemas_and_topic_carry_the_logs_name() -> None:
    assert (Settings().schema("eventstore"), Settings().topic) == ("eventstore", "eskit.application-log")
    acme = Settings(log="acme")
    assert (acme.schema("eventstore"), acme.topic) == ("eventstore_acme", "eskit.application-log.acme")
