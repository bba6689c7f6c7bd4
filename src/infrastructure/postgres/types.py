"""Column types, and rows given to a statement as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Column, Table, Text, bindparam, column, func
from sqlalchemy.dialects.postgresql import TIMESTAMP, UUID
from sqlalchemy.sql.selectable import TableValuedAlias
from sqlalchemy.types import UserDefinedType


class JsonText(UserDefinedType[str]):
    """Postgres `json`, in and out as its text: what Rota only carries is never parsed."""

    cache_ok = True
    render_bind_cast = True

    def get_col_spec(self, **_: Any) -> str:  # Any: SQLAlchemy's own signature
        return "JSON"


class JsonbText(JsonText):
    """Postgres `jsonb`, in and out as a text, for what is searched."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:  # Any: SQLAlchemy's own signature
        return "JSONB"


Instant = TIMESTAMP(timezone=True)
Uuid = UUID(as_uuid=True)
Big = BigInteger()
Str = Text()

_BIND = "given_"


def rows(table: Table, *names: str, alias: str = "incoming", **extra: Any) -> TableValuedAlias:
    """A row source of the named columns, each bound as one array; give the arrays by `bound`.

    `extra` adds columns of its own, name and type. Statements over it do a whole batch at once.
    """
    types: dict[str, Any] = {name: table.c[name].type for name in names} | extra
    arrays = [bindparam(_BIND + name, type_=ARRAY(kind)) for name, kind in types.items()]
    columns: list[Column[Any]] = [column(name, kind) for name, kind in types.items()]  # type: ignore[misc]
    return func.unnest(*arrays).table_valued(*columns, name=alias).render_derived()


def bound(arrays: Mapping[str, list[Any]]) -> dict[str, list[Any]]:  # Any: column values
    """Parameters for `rows`. SQLAlchemy keeps the columns' own names for itself, hence others."""
    return {_BIND + name: array for name, array in arrays.items()}


def columnwise(values: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:  # Any: column values
    """Rows turned into the parameters of `rows`."""
    return bound({name: [value[name] for value in values] for name in values[0]})
