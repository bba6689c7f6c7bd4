"""Column types, and rows given to a statement as arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnClause,
    FromClause,
    Table,
    Text,
    Update,
    bindparam,
    column,
    func,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP, UUID, Insert, insert
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
_STATEMENTS = 256


class Batch:
    """A statement over many rows at once, given as one array a column.

    A column that is the same in all rows of a call is given once: binding an array costs half a microsecond an
    element, and most columns of a batch (tenant, job, state, the instant) do not vary. So there is one statement
    for each set of columns that vary, made when it is first wanted.
    `extra` adds columns that are not the table's, name and type.
    """

    def __init__(self, build: Callable[[FromClause], Any], table: Table, *names: str, **extra: Any) -> None:
        self._build = build
        self._types: dict[str, Any] = {name: table.c[name].type for name in names} | extra
        self._made: dict[frozenset[str], Any] = {}

    def __call__(self, arrays: Mapping[str, list[Any]]) -> tuple[Any, dict[str, Any]]:
        """The statement, and its parameters; SQLAlchemy keeps the columns' own names for itself, hence others."""
        varying = frozenset(name for name, array in arrays.items() if array.count(array[0]) != len(array))
        varying = varying or frozenset(list(self._types)[:1])
        if varying not in self._made:
            if len(self._made) >= _STATEMENTS:
                self._made.clear()
            self._made[varying] = self._build(self._source(varying))
        given = {_BIND + name: array if name in varying else array[0] for name, array in arrays.items()}
        return self._made[varying], given

    def _source(self, varying: frozenset[str]) -> FromClause:
        arrays = rows({name: kind for name, kind in self._types.items() if name in varying})
        columns = [
            arrays.c[name] if name in varying else bindparam(_BIND + name, type_=kind).label(name)
            for name, kind in self._types.items()
        ]
        return select(*columns).subquery("incoming")


def rows(types: Mapping[str, Any]) -> TableValuedAlias:
    """A row source with these columns, each bound as one array."""
    arrays = [bindparam(_BIND + name, type_=ARRAY(kind)) for name, kind in types.items()]
    columns: list[Column[Any]] = [column(name, kind) for name, kind in types.items()]  # type: ignore[misc]
    return func.unnest(*arrays).table_valued(*columns, name="given").render_derived()


def inserting(table: Table, *, or_nothing: bool = False) -> Batch:
    """A plain insert of all columns; `or_nothing` leaves out rows whose key is taken."""
    names = tuple(each.name for each in table.columns)

    def build(incoming: FromClause) -> Insert:
        statement = insert(table).from_select(names, select(incoming))
        return statement.on_conflict_do_nothing() if or_nothing else statement

    return Batch(build, table, *names)


def updating(table: Table, *names: str) -> Batch:
    """An update of these columns, of each row that still has the `seq` it was read with (`read_seq`).

    Its place is found through the primary key first, as LIMIT leaves the planner no other way: joined plainly it has
    read all rows of a tenant, whose number its statistics did not know, to change five hundred.
    """

    def build(incoming: FromClause) -> Update:
        kept = table.alias("kept")
        found = (
            select(_place_in(kept).label("place"))
            .where(
                kept.c.tenant_id == incoming.c.tenant_id,
                kept.c.id == incoming.c.id,
                kept.c.seq == incoming.c.read_seq,
            )
            .limit(1)
            .lateral("found")
        )
        changed = select(incoming, found.c.place).select_from(incoming.join(found, true())).subquery("changed")
        return (
            update(table).where(_place_in(table) == changed.c.place).values({name: changed.c[name] for name in names})
        )

    return Batch(build, table, "tenant_id", "id", *names, read_seq=Big)


def _place_in(table: FromClause) -> ColumnClause[Any]:
    place: ColumnClause[Any] = column("ctid")
    place.table = table
    return place


def columnwise(values: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:  # Any: column values
    """Rows turned into one array a column."""
    return {name: [value[name] for value in values] for name in values[0]}
