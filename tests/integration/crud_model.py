"""What the CRUD service is meant to do: plain dictionaries with all that they ever were, and the answers to writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.integration.crud_documents import GONE, Document, Failed, changes, found, leaves, merge, patched, read

CREATES = {"make", "post", "create"}


class Version(NamedTuple):
    """An entity after one of its events."""

    action: str
    position: int
    document: Document | None = None  # there is none before the first Created, and while it is deleted
    text: bytes | None = None  # the document to the letter, where the service has not put it together itself
    deleted: int = 0  # the version of the deletion
    last: Document | None = None  # of a deleted one


NOTHING = Version("", 0)


class Answer(NamedTuple):
    """Status, error code, and the version and position that a write comes to; of an error the version that it names."""

    status: int
    code: str = ""
    version: int | None = None
    position: int = 0


INVALID = Answer(422, "invalid-request")
MISSPELLED = {"weak": INVALID, "bare": INVALID, "both": INVALID, "missing": Answer(428, "precondition-required")}


class Write(NamedTuple):
    """`content`: the text of a document or a patch; of a restore the version, if any."""

    kind: str  # make, post, create, put, merge, patch, delete, restore
    ident: str
    content: Any
    match: str = "right"
    key: str | None = None


class Entity:
    """Its versions; `versions[0]` is before the first event."""

    def __init__(self) -> None:
        self.versions = [NOTHING]

    @property
    def now(self) -> Version:
        return self.versions[-1]

    @property
    def version(self) -> int:
        return len(self.versions) - 1

    def missing(self) -> Answer | None:
        """What whoever needs a document is told where there is none."""
        if self.now.document is not None:
            return None
        return Answer(410, "deleted", self.now.deleted) if self.now.deleted else Answer(404, "not-found")

    def changed(self, version: int) -> dict[str, tuple[Any, Any]]:
        """By an event."""
        before, after = self.versions[version - 1], self.versions[version]
        return changes(before.document or {}, after.document or {})

    def blame(self, version: int) -> dict[str, tuple[Any, int]]:
        """Of each field of a document its value, and the version that has set it."""
        document = self.versions[version].document
        assert document is not None
        told = {}
        for path in leaves(document):
            value, setter = found(document, path), version
            while setter > 1 and self._had(setter - 1, path) == value:
                setter -= 1
            told[path] = (value, setter)
        return told

    def _had(self, version: int, path: str) -> Any:
        document = self.versions[version].document
        return GONE if document is None else found(document, path)

    def upto(self, wanted: Callable[[int], bool]) -> int:
        """The last version, all before which are wanted."""
        return max(number for number in range(len(self.versions)) if all(map(wanted, range(1, number + 1))))


class World:
    """Entities of one type by id, and the end of the log."""

    def __init__(self, head: int) -> None:
        self.head = head
        self.entities: dict[str, Entity] = {}

    def entity(self, ident: str) -> Entity:
        return self.entities.setdefault(ident, Entity())

    def write(self, write: Write) -> Answer:
        """The answer; what is stored is known from then on."""
        entity = self.entity(write.ident)
        refused = self._precondition(write, entity)
        if refused is not None:
            return refused
        try:
            changed = _changed(write, entity)
        except Failed:
            return Answer(422, "patch-failed")
        if isinstance(changed, Answer):
            return changed
        if changed is not None:
            self._add(entity, *changed)
        created = 201 if changed is not None and changed[0] == "Created" else 200
        status = 204 if write.kind == "delete" else created
        return Answer(status, "", entity.version, entity.now.position)

    def foreign(self, ident: str, action: str, payload: str) -> None:
        """An event that others have put into the stream: it counts, and does what one of the service's would do."""
        entity, said = self.entity(ident), read(payload)
        document = entity.now.document
        if action in {"Created", "Restored"} and isinstance(said, dict):
            self._add(entity, action, said, payload.encode())
        elif action == "Deleted" and document is not None:
            self._add(entity, action, None, None)
        elif action == "Updated" and document is not None and isinstance(said.get("merge_patch"), dict):
            self._add(entity, action, merge(document, said["merge_patch"]), None)
        else:
            self.head += 1
            entity.versions.append(entity.now._replace(action=action, position=self.head))

    def _add(self, entity: Entity, action: str, document: Document | None, text: bytes | None) -> None:
        self.head += 1
        now = entity.now
        if document is None:
            gone = Version(action, self.head, None, now.text, entity.version + 1, now.document)
            entity.versions.append(gone)
        else:
            entity.versions.append(Version(action, self.head, document, text))

    def _precondition(self, write: Write, entity: Entity) -> Answer | None:
        version = entity.version
        if write.kind in CREATES:
            return _may_create(write, entity)
        refused = MISSPELLED.get(write.match) or _may_restore(write, entity)
        if refused is not None:
            return refused
        if write.kind != "restore" or not entity.now.deleted:
            absent = entity.missing()
            if absent is not None:
                return absent
        return Answer(412, "precondition-failed", version) if write.match == "stale" else None


def _may_restore(write: Write, entity: Entity) -> Answer | None:
    """The version named is one that there is, and had a document."""
    if write.kind != "restore" or write.content is None:
        return None
    if entity.version == 0 or write.content > entity.version:
        return Answer(404, "not-found", entity.version or None)
    return INVALID if entity.versions[write.content].document is None else None


def _may_create(write: Write, entity: Entity) -> Answer | None:
    if entity.now.document is not None:
        refusals = {"create": Answer(412, "precondition-failed", entity.version)}
        return refusals.get(write.kind, Answer(409, "already-exists", entity.version))
    return entity.missing() if write.kind == "post" and entity.now.deleted else None


Changed = tuple[str, Document | None, bytes | None]


def _changed(write: Write, entity: Entity) -> Changed | Answer | None:
    """The event: its action, the document after it, and its text if known. None: no event. Raises Failed."""
    now = entity.now
    if write.kind in CREATES:
        return "Created", read(write.content), write.content.encode()
    if write.kind == "delete":
        return "Deleted", None, None
    if write.kind == "restore":
        if write.content is None and not now.deleted:
            return INVALID
        back = entity.versions[write.content] if write.content is not None else Version("", 0, now.last, now.text)
        return None if back.document == now.document else ("Restored", back.document, back.text)
    change = {"put": lambda _, sent: sent, "merge": merge, "patch": patched}[write.kind]
    document = change(now.document, read(write.content))
    if not isinstance(document, dict):
        raise Failed
    return None if document == now.document else ("Updated", document, None)


def headers_of(match: str, version: int, kind: str) -> dict[str, str]:
    """If-Match and If-None-Match of a write."""
    if kind in CREATES:
        return {"If_None_Match": "*"} if kind == "create" else {}
    given = {
        "right": {"If_Match": f'"{version}"'},
        "list": {"If_Match": f'"{version + 3}" ,"{version}"'},
        "star": {"If_Match": "*"},
        "stale": {"If_Match": f'"{version + 1}", "{version - 1}"'},
        "weak": {"If_Match": f'W/"{version}"'},
        "bare": {"If_Match": str(version)},
        "both": {"If_Match": "*", "If_None_Match": "*"},
        "missing": {},
    }
    return given[match]
