"""The database goes away and comes back: 503 with Retry-After meanwhile, nothing to restart."""

from __future__ import annotations

from infra.local.postgres import PostgresServer
from tests.integration.crud_calls import crud_service
from tests.services import config_for, until
from tests.stack import migrate


async def test_the_service_outlives_its_database(private_postgres: PostgresServer) -> None:
    migrate(private_postgres.url)
    async with crud_service(config_for(private_postgres.url, pool_wait_s=0.3)) as crud:
        await crud.create("u", {"a": 1})
        private_postgres.stop("fast")
        for reply in (await crud.get("u"), await crud.merge("u", {"a": 2}), await crud.create("v", {})):
            assert reply.status == 503, reply.body
            assert int(reply.headers["Retry-After"]) >= 1
        assert (await crud.call("GET", "/readyz")).status == 503
        assert (await crud.call("GET", "/livez")).status == 200
        private_postgres.start()

        async def writes_again() -> bool:
            return (await crud.merge("u", {"a": 3}, match='"1"', Idempotency_Key="k")).status == 200

        await until(writes_again)
        assert (await crud.get("u")).json == {"a": 3}
        assert (await crud.get("v")).said == (404, "not-found")
