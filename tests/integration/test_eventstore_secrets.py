"""Errors show neither SQL nor tables, paths, addresses or passwords, in answers; no password in logs."""

from __future__ import annotations

import re

import aiohttp
import psycopg
import pytest

from eskit.settings import Settings
from tests.integration.eventstore_calls import GOOD, ID, Api
from tests.services import ServiceProcess, processes

RAISE = (
    "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " RAISE EXCEPTION 'no space in /var/lib/postgresql, says SELECT' USING ERRCODE = '{}'; END $$;"
    "CREATE TRIGGER fail BEFORE INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION fail()"
)
FAULTS = {
    "a table is gone": "ALTER TABLE events RENAME TO elsewhere",
    "the function is gone": "ALTER FUNCTION append_batch RENAME TO elsewhere",
    "the rights are gone": "REVOKE ALL ON ALL TABLES IN SCHEMA eventstore FROM eskit_eventstore_writer;"
    " REVOKE ALL ON FUNCTION append_batch FROM eskit_eventstore_writer",
    "the disk is full": RAISE.format("53100"),
    "an input or output error": RAISE.format("58030"),
    "the data are corrupt": RAISE.format("XX001"),
    "something nobody thought of": RAISE.format("P0001"),
    "read only": "ALTER DATABASE {name} SET default_transaction_read_only = on;"
    " SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'eskit eventstore%'",
}
TELLTALE = re.compile(
    r"select|insert|append_batch|relation|elsewhere|/var/|/work|\.py|127\.0\.0\.1|psycopg|postgres|Traceback|eskit_",
    re.IGNORECASE,
)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
async def test_a_failing_database_is_not_shown(config: Settings, fault: str) -> None:
    password = psycopg.conninfo.conninfo_to_dict(config.database_url)["password"]
    service = ServiceProcess("eventstore_svc", config, "eventstore_port")
    with processes(service):
        await service.start().ready()
        async with aiohttp.ClientSession() as session:
            api = Api(service.url, session)
            assert (await api.append(GOOD | {"event_id": ID}))[0] == 201
            with psycopg.connect(config.database_url, options="-c search_path=eventstore", autocommit=True) as owner:
                owner.execute(fault.replace("{name}", owner.info.dbname).encode())
            answers = [await api.append(GOOD), await api.append(GOOD | {"event_id": ID})]
            answers += [
                await api.get(path) for path in ("/v1/log", "/v1/log/head", "/v1/streams/User/u1/events", "/readyz")
            ]
        failed = [answer for status, answer in answers if status >= 400]
        assert answers[0] in [(answer["status"], answer) for answer in failed]
        assert answers[0][0] in {500, 503}
        for answer in failed:
            assert not TELLTALE.search(str(answer)), answer
        output = service.output()
    assert "append failed" in output or "append refused" in output
    assert str(password) not in output
