"""Settings: one typed object, read from ESKIT_* environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from eskit.errors import SettingsError
from eskit.names import MAX_ID_BYTES, MAX_TYPE_BYTES

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=3600)]
Bytes = Annotated[int, Meta(ge=1024, le=1 << 30)]
LogName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,30}$")]


def described(text: str, *, secret: bool = False, also: str = "") -> Any:
    """What docs/reference/settings.md says; `also` is a second variable, read when ours is unset."""
    return Meta(description=text, extra={"secret": secret, "also": also})


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting of every service. A field `x` is the variable `ESKIT_X`."""

    database_url: Annotated[str, described("PostgreSQL, as a libpq URL.", secret=True, also="DATABASE_URL")] = ""
    target_url: Annotated[
        str, described("PostgreSQL of exactly-once consumers' views; ESKIT_DATABASE_URL when unset.", secret=True)
    ] = ""
    kafka_bootstrap: Annotated[str, described("Kafka brokers, `host:port,…`.", also="KAFKA_BOOTSTRAP")] = ""
    kafka_options: Annotated[
        dict[str, str], described("More librdkafka options as a JSON object (TLS, SASL).", secret=True)
    ] = {}
    log: Annotated[LogName, described("Name of the log: its schemas and its topic carry it unless it is `main`.")] = (
        "main"
    )

    host: Annotated[str, described("Address that services listen on. No other machine reaches the default.")] = (
        "127.0.0.1"
    )
    eventstore_port: Annotated[Port, described("Port of the event store.")] = 8001
    crud_port: Annotated[Port, described("Port of the CRUD service.")] = 8002
    offsets_port: Annotated[Port, described("Port of the offsets service.")] = 8003
    relay_port: Annotated[Port, described("Port of the relay's health and metrics.")] = 8004
    metrics_port: Annotated[Port, described("Port of the metrics consumer.")] = 8888
    view_port: Annotated[Port, described("Port of the entity view's health and metrics.")] = 8005
    consumer_port: Annotated[
        Port, described("Port of a consumer of one's own that runs by `eskit.consumer.serve`.")
    ] = 8090

    eventstore_url: Annotated[str, described("Where clients find the event store.")] = "http://127.0.0.1:8001"
    crud_url: Annotated[str, described("Where clients find the CRUD service.")] = "http://127.0.0.1:8002"
    offsets_url: Annotated[str, described("Where consumers find the offsets service.")] = "http://127.0.0.1:8003"

    log_level: Annotated[
        str, Meta(pattern="^(debug|info|warning|error)$"), described("Least level that is logged.")
    ] = "info"
    log_format: Annotated[
        str, Meta(pattern="^(auto|console|json)$"), described("`auto`: console on a terminal, JSON elsewhere.")
    ] = "auto"

    pool_size: Annotated[
        int,
        Meta(ge=1, le=1000),
        described("Database connections of one process, beside three that append, tell of it and listen."),
    ] = 8
    pool_wait_s: Annotated[Seconds, described("Longest wait for a free connection before 503.")] = 2.0
    statement_timeout_s: Annotated[Seconds, described("Longest time of one database statement.")] = 30.0
    header_timeout_s: Annotated[Seconds, described("Longest time a client may take to send a request's head.")] = 10.0
    body_timeout_s: Annotated[Seconds, described("Longest time a client may take to send its body.")] = 30.0
    write_timeout_s: Annotated[Seconds, described("Longest time a client may leave unread what is ready for it.")] = (
        30.0
    )
    idle_timeout_s: Annotated[Seconds, described("How long a connection is kept between requests.")] = 75.0
    shutdown_s: Annotated[Seconds, described("Time for requests in flight at a stop.")] = 5.0
    max_connections: Annotated[
        int, Meta(ge=1, le=1_000_000), described("Most open connections of one process before 503.")
    ] = 10_000
    max_header_bytes: Annotated[
        int, Meta(ge=256, le=1 << 20), described("Largest request line, and largest header.")
    ] = 8190
    max_headers: Annotated[int, Meta(ge=16, le=10_000), described("Most headers of one request.")] = 128
    max_body_bytes: Annotated[Bytes, described("Largest request body.")] = 8 * 1024 * 1024
    max_event_bytes: Annotated[
        Bytes, described("Largest event: payload, metadata, ids and names together. The topic must take it.")
    ] = 900_000
    max_events: Annotated[int, Meta(ge=1, le=10_000), described("Most events of one append.")] = 1000
    max_appends: Annotated[
        int, Meta(ge=1, le=10_000), described("Most appends of one batch; a stream of lines has no such limit.")
    ] = 1000
    max_depth: Annotated[
        int, Meta(ge=1, le=500), described("Deepest payload: objects and arrays within one another.")
    ] = 128
    max_id_bytes: Annotated[
        int, Meta(ge=1, le=MAX_ID_BYTES), described("Longest originator id of a new event; may only be lowered.")
    ] = MAX_ID_BYTES
    max_type_bytes: Annotated[
        int, Meta(ge=1, le=MAX_TYPE_BYTES), described("Longest event type of a new event; may only be lowered.")
    ] = MAX_TYPE_BYTES
    max_metadata_keys: Annotated[
        int, Meta(ge=1, le=1000), described("Most metadata keys that a client may give an event.")
    ] = 64
    max_metadata_key: Annotated[int, Meta(ge=1, le=10_000), described("Longest metadata key, in characters.")] = 100
    max_metadata_value: Annotated[
        int, Meta(ge=1, le=1_000_000), described("Longest metadata value, in characters.")
    ] = 4096
    max_metadata_header: Annotated[
        int, Meta(ge=1, le=8190), described("Longest header that becomes a metadata value, in characters.")
    ] = 256
    max_queue: Annotated[
        int, Meta(ge=1, le=1_000_000), described("Most events that wait for the database before 503.")
    ] = 4096
    max_queue_bytes: Annotated[Bytes, described("Most bytes of events that wait for the database before 503.")] = (
        64 * 1024 * 1024
    )
    max_batch: Annotated[int, Meta(ge=1, le=10_000), described("Most events of one group commit.")] = 1000

    tail_poll_s: Annotated[
        Seconds, described("How often waiting readers of the log are looked after when no notice came.")
    ] = 1.0
    tail_heartbeat_s: Annotated[
        Seconds, described("How often a live tail with nothing to say shows that it lives.")
    ] = 15.0
    max_waiting: Annotated[
        int, Meta(ge=1, le=1_000_000), described("Most readers of one process that wait for new events before 503.")
    ] = 10_000

    topic_partitions: Annotated[
        int, Meta(ge=1, le=10_000), described("Partitions of the topic when the relay creates it.")
    ] = 6
    topic_replication: Annotated[
        int, Meta(ge=1, le=9), described("Replicas of the topic when the relay creates it.")
    ] = 1
    relay_lease_s: Annotated[Seconds, described("How long a silent relay stays the active one.")] = 5.0
    relay_window: Annotated[int, Meta(ge=1, le=1_000_000), described("Most records on their way to Kafka at once.")] = (
        20_000
    )
    relay_poll_s: Annotated[
        Seconds, described("How often the relay looks by itself when nobody told it of an append.")
    ] = 0.2

    view_instance: Annotated[
        str,
        Meta(pattern="^[A-Za-z0-9._-]{0,249}$"),
        described("Name of one entity view process among several: with it, it keeps its partitions over a restart."),
    ] = ""
    view_wait_s: Annotated[
        float, Meta(ge=0, le=60), described("Longest wait of a list for the entity view to have all that was written.")
    ] = 2.0
    view_scan_rows: Annotated[
        int, Meta(ge=0, le=10_000_000), described("Most entities that a list looks at where no index serves it.")
    ] = 10_000

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{k}={v!r}' for k, v in self.shown().items())})"

    def shown(self) -> dict[str, Any]:
        """What differs from the defaults, for a log: of secrets only that they are set."""
        known, values = fields(), msgspec.structs.asdict(self)
        return {
            name: "(set)" if known[name]["secret"] else value
            for name, value in values.items()
            if value != known[name]["default"]
        }

    @property
    def suffix(self) -> str:
        """What schemas and topics of this log carry at their end: nothing for `main`."""
        return "" if self.log == "main" else self.log

    def schema(self, service: str) -> str:
        """The Postgres schema of a service: `eventstore`, or `eventstore_<log>`."""
        return f"{service}_{self.suffix}" if self.suffix else service

    @property
    def topic(self) -> str:
        """The application log's topic: `eskit.application-log`, or `eskit.application-log.<log>`."""
        return f"eskit.application-log.{self.suffix}" if self.suffix else "eskit.application-log"

    def require(self, *names: str) -> Settings:
        """The settings themselves; raises SettingsError for one that has no default and is not set."""
        for name in names:
            if not getattr(self, name):
                also = fields()[name]["also"]
                either = f"{variable(name)} (or {also})" if also else variable(name)
                message = f"{either} is not set; `make env` prints it for a local stack"
                raise SettingsError(message, field=variable(name))
        return self


def variable(name: str) -> str:
    """The environment variable of a field."""
    return f"ESKIT_{name.upper()}"


def fields() -> dict[str, dict[str, Any]]:
    """Of each setting: `description`, `default`, `secret`, `also`, for the reference page and the loader."""
    found: dict[str, dict[str, Any]] = {}
    hints = msgspec.inspect.type_info(Settings)
    assert isinstance(hints, msgspec.inspect.StructType)  # noqa: S101 - narrows the type; it is our own class
    for field in hints.fields:
        meta: dict[str, Any] = {"description": "", "secret": False, "also": "", "default": field.default}
        if field.default_factory is not msgspec.NODEFAULT:
            meta["default"] = field.default_factory()
        if isinstance(field.type, msgspec.inspect.Metadata):
            meta.update(field.type.extra or {})
            meta["description"] = (field.type.extra_json_schema or {}).get("description", "")
        found[field.name] = meta
    return found


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment; raises SettingsError that names the variable."""
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for name, field in fields().items():
        text = environ.get(variable(name)) or environ.get(field["also"] or variable(name))
        if text:
            values[name] = _value(name, text, field["default"])
    return Settings(**values)


def _value(name: str, text: str, default: Any) -> Any:
    try:
        parsed = msgspec.json.decode(text) if isinstance(default, dict) else text
        # Converted one by one, so that the message can name the variable.
        return getattr(msgspec.convert({name: parsed}, Settings, strict=False), name)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        wrong = str(error).split(" - at ", maxsplit=1)[0]
        raise SettingsError(f"{variable(name)} is wrong: {wrong}", field=variable(name)) from None
