"""The consumer that a command line names: `module:name`."""

from __future__ import annotations

import importlib
import sys

from eskit.consumer import Consumer
from eskit.errors import SettingsError


def load(text: str) -> Consumer:
    """Import it, from the working directory too. Raises SettingsError; an error of the module itself goes through."""
    module, colon, name = text.partition(":")
    if not (module and colon and name):
        raise SettingsError(f"{text!r} must name a module and a consumer in it, like billing.views:billing")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise SettingsError(f"there is no module {error.name}") from error
    if not isinstance(found, Consumer):
        raise SettingsError(f"{module} has no consumer {name}")
    return found
