"""`eskit verify entities` holds the entity view against the log."""

from __future__ import annotations

import psycopg
import pytest

from eskit.settings import Settings
from eventstore_svc.store import open_event_store
from tests.integration.appending import new_event
from tests.integration.exporting import verify_entities
from tests.integration.viewing import Life, caught_up, kept, relayed, view_process

pytestmark = pytest.mark.real_kafka


async def test_the_view_is_what_the_events_say_and_every_lie_is_found(log_config: Settings) -> None:
    async with relayed(log_config) as config, open_event_store(config, "test") as store:
        async with view_process(config):
            await Life(5).go_on(store, 800)
            for number in range(40):
                await store.append([new_event(f"other-{number}", payload=b'{"n":1}', kind="User.Created")])
            await caught_up(config, store)
            rows = len(await kept(config))
            said = await verify_entities(config)
            assert (said.code, said.err) == (0, "")
            assert (
                said.out.decode()
                == f"0 snapshots and {rows} rows of the view, 840 events up to position 840: no difference\n"
            )

        # Nobody keeps it: what is new is no difference, but said.
        await store.append([new_event("other-0", payload=b'{"merge_patch":{"n":2}}', kind="User.Updated")])
        await store.append([new_event("new", payload=b"{}", kind="User.Created")])
        said = await verify_entities(config)
        assert said.code == 0
        assert said.out.decode().startswith("the view has yet to get the last events of 2 entities\n")

        schema = config.schema("entity_view")
        lies = {
            "other-1": "DELETE FROM {s}.entities WHERE id = 'other-1'",
            "other-2": "UPDATE {s}.entities SET body = '{{\"n\":2}}' WHERE id = 'other-2'",
            "other-3": "UPDATE {s}.entities SET deleted_at = 1 WHERE id = 'other-3'",
            "other-4": "UPDATE {s}.entities SET version = 7 WHERE id = 'other-4'",
            "nobody": "UPDATE {s}.entities SET id = 'nobody' WHERE id = 'other-5'",
            "other-6": "UPDATE {s}.entities SET modified_at = now() WHERE id = 'other-6'",
        }
        with psycopg.connect(config.database_url, autocommit=True) as owner:
            for lie in lies.values():
                assert owner.execute(lie.format(s=schema)).rowcount == 1
        said = await verify_entities(config)
        found = sorted(line for line in said.out.decode().splitlines() if line.startswith("row of "))
        assert said.code == 1
        assert found == [
            "row of User 'nobody' at version 1: the log has no such event",
            "row of User 'other-1' at version 1: the view has none of this entity",
            "row of User 'other-2' at version 1: its document is not that of the events",
            "row of User 'other-3' at version 1: deleted at version 1, not 0",
            "row of User 'other-4' at version 7: the log has no such event",
            "row of User 'other-5' at version 1: the view has none of this entity",
            "row of User 'other-6' at version 1: another time",
        ]


async def test_a_view_that_has_missed_a_change_is_found(log_config: Settings) -> None:
    async with relayed(log_config) as config, open_event_store(config, "test") as store:
        async with view_process(config):
            for number in range(3):
                await store.append([new_event(f"u{number}", payload=b'{"n":1}', kind="User.Created")])
            await caught_up(config, store)
            before = {row[1]: row for row in await kept(config)}
            for number in range(3):
                await store.append([new_event(f"u{number}", payload=b'{"merge_patch":{"n":2}}', kind="User.Updated")])
            await caught_up(config, store)
        _, _, version, position, _, body = before["u1"]
        text = (
            f"UPDATE {config.schema('entity_view')}.entities SET version = %s, position = %s, body = %s WHERE id = 'u1'"
        )
        with psycopg.connect(config.database_url, autocommit=True) as owner:
            owner.execute(text.encode(), (version, position, body))
        said = await verify_entities(config)
        assert said.code == 1
        assert "row of User 'u1' at version 2: the view is at version 1" in said.out.decode()
