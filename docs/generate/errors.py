"""Every error that the service answers with, from the tree of errors."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Final

from docs.generate.markdown import cell

import rota
from rota.domain.errors import RotaError
from rota.entrypoints.http.problems import STATUS

HEAD: Final = """\
# Errors

Whatever is refused is answered with a problem document (RFC 9457), `application/problem+json`. Its `type` is stable
and for programs; `detail` is for people. `errors` names the fields: the path to each, as in `17.trigger.cron`, and
what is wrong with it.

```sh
curl -s $ROTA_URL/api/v1/schedules/preview -H "Authorization: Bearer $ROTA_TOKEN" \\
     -d '{"tz": "Europe/Berlin", "trigger": {"type": "CRON", "cron": "0 9 * *"}}'
```

<!-- answer -->
```json
{"type": "urn:rota:error:invalid", "title": "Invalid", "status": 422,
 "errors": [{"field": "trigger.cron", "message": "must have five fields, or six with seconds first, not 4"}]}
```

| status | `type` | when |
| --- | --- | --- |
"""
TAIL: Final = """
A 503 says by `Retry-After` when to try again. Everything else is refused for good until something else changes: the
same call has the same answer. What belongs to another tenant is `not-found`, byte for byte like what does not
exist.

The errors that end a run's attempt (`Timeout`, `WorkerLost`, …) are another matter: [trying
again](../runs.md#trying-again).
"""


def page() -> str:
    rows = {(_status(kind), kind.code): _told(kind) for kind in _errors()}
    lines = [
        f"| {status} | `urn:rota:error:{code}` | {cell(told)} |\n" for (status, code), told in sorted(rows.items())
    ]
    return HEAD + "".join(lines) + TAIL


def _errors() -> Iterator[type[RotaError]]:
    """Those that a program of the service can raise; where two have one code, the more general one is last."""
    for module in pkgutil.walk_packages(rota.__path__, "rota."):
        if module.name.startswith(("rota.domain", "rota.application", "rota.entrypoints.http")):
            importlib.import_module(module.name)
    found: list[type[RotaError]] = []
    left = [RotaError]
    while left:
        kind = left.pop()
        left += kind.__subclasses__()
        if "code" in vars(kind) and kind is not RotaError:
            found.append(kind)
    return reversed(found)


def _told(kind: type[RotaError]) -> str:
    own = inspect.getdoc(kind) if "__doc__" in vars(kind) and vars(kind)["__doc__"] else ""
    return (own or "").partition("\n\n")[0] or kind.code.replace("-", " ")


def _status(kind: type[RotaError]) -> int:
    return next(STATUS[each] for each in kind.__mro__ if each in STATUS)
