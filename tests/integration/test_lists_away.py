"""Lists while the database is away, and with more than one instance of the service."""

from __future__ import annotations

from functools import partial

import psycopg

from crud_svc.view.consumer import TABLES
from eskit.settings import Settings
from infra.local.postgres import PostgresServer
from tests.integration.crud_calls import Crud, crud_service
from tests.services import config_for, until
from tests.stack import migrate

MADE = """
CREATE SCHEMA entity_view; SET search_path = entity_view;
CREATE TABLE eskit_progress (consumer text, topic text, partition integer, position bigint);"""
FILLED = """
INSERT INTO entity_view.entities (entity_type, id, version, position, created_at, modified_at, deleted_at, body, search)
SELECT 'User', 'user-' || n, 1, n, now(), now(), 0, '{"n": 1}', '{"n": 1}' FROM generate_series(1, 9) AS n"""
LIST = "/v1/entities/User?wait=0&limit=2"


def fill(url: str) -> None:
    """A view that nobody keeps."""
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(MADE)
        owner.execute(TABLES)
        owner.execute(FILLED)


async def answers(crud: Crud, status: int) -> bool:
    return (await crud.call("GET", LIST)).status == status


async def test_without_its_database_lists_are_503_and_come_back(private_postgres: PostgresServer) -> None:
    migrate(private_postgres.url)
    fill(private_postgres.url)
    async with crud_service(config_for(private_postgres.url, pool_wait_s=0.5)) as crud:
        assert len((await crud.call("GET", LIST)).json["entities"]) == 2
        private_postgres.stop("immediate")
        away = await crud.call("GET", LIST)
        assert (away.said, away.headers["Retry-After"]) == ((503, "unavailable"), "1")
        private_postgres.start()
        await until(partial(answers, crud, 200), 30)


async def test_a_cursor_is_good_at_every_instance_and_after_a_restart(config: Settings) -> None:
    fill(config.database_url)
    async with crud_service(config) as one, crud_service(config) as other:
        first = (await one.call("GET", LIST)).json
        second = (await other.call("GET", f"{LIST}&cursor={first['next']}")).json
        assert [entity["id"] for entity in second["entities"]] == ["user-3", "user-4"]
    async with crud_service(config) as again:
        third = (await again.call("GET", f"{LIST}&cursor={second['next']}")).json
        assert [entity["id"] for entity in third["entities"]] == ["user-5", "user-6"]
    with psycopg.connect(config.database_url, autocommit=True) as owner:
        owner.execute("UPDATE eventstore.signing_key SET key = uuid_send(gen_random_uuid())")
    async with crud_service(config) as changed:
        refused = await changed.call("GET", f"{LIST}&cursor={third['next']}")
        assert (refused.said, refused.json["field"]) == ((422, "invalid-request"), "cursor")
