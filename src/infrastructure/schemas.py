"""JSON Schema, by the `jsonschema` library, made safe for schemas and payloads that strangers wrote.

Checking ends: its regular expressions run in linear time (Rust's, so without look-around and backreferences), and a
payload that needs too much computing is refused. It stays in the house: references lead into the schema itself.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from itertools import islice
from time import thread_time
from typing import Any, Final

from jsonschema import Draft6Validator, Draft7Validator, Draft201909Validator, Draft202012Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from pydantic_core import SchemaError, SchemaValidator, core_schema
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import specification_with

from rota.domain.errors import FieldFault, InvalidError
from rota.domain.payload import Json

DIALECTS: Final[Mapping[str, type[Validator]]] = {
    "https://json-schema.org/draft/2020-12/schema": Draft202012Validator,
    "https://json-schema.org/draft/2019-09/schema": Draft201909Validator,
    "http://json-schema.org/draft-07/schema": Draft7Validator,
    "http://json-schema.org/draft-06/schema": Draft6Validator,
}
"""What `$schema` may say; the first where it says nothing."""

MOST_FAULTS: Final = 20
LONGEST_MESSAGE: Final = 200
LONGEST_CHECK: Final = 0.5
"""Seconds of this thread's computing for one payload; 256 KiB of small objects take about 0.3."""

Schema = dict[str, Any]  # Any: JSON
Keyword = Callable[[Any, Any, Any, Any], Iterable[ValidationError] | None]  # Any: as the library hands them over

_ROOT: Final = "payloadSchema"

_deadline: ContextVar[float] = ContextVar("_deadline")


class _TooLongError(Exception):
    """The payload is given up."""


class JsonSchemaRules:
    """Remembers what it has compiled."""

    def check_schema(self, schema: Json) -> None:
        _compiled(schema)

    def check(self, schema: Json, payload: Json | None) -> None:
        validator = _compiled(schema)
        value = None if payload is None else json.loads(payload, parse_float=_number)
        try:
            with _time_limit():
                _refuse("payload", validator.iter_errors(value))
        except _TooLongError as error:
            raise InvalidError("takes too long to check against its job's schema", "payload") from error
        except RecursionError as error:
            raise InvalidError("is nested too deep for its job's schema", "payload") from error
        except InvalidError:
            raise
        except Exception as error:  # a reference may lead to a place whose keywords nobody has checked
            raise InvalidError(f"cannot be checked against its job's schema: {error!r}", "payload") from error


@lru_cache(maxsize=1_000)
def _compiled(text: Json) -> Validator:
    """Raises InvalidError."""
    schema: Schema = json.loads(text)
    dialect = _dialect_of(schema)
    own = {name: value for name, value in schema.items() if name != "$schema"}
    _refuse(_ROOT, dialect(dialect.META_SCHEMA, registry=Registry()).iter_errors(own))
    _check_parts(own)
    _check_references(own, dialect)
    return _bounded(dialect)(own, registry=Registry())


def _dialect_of(schema: Schema) -> type[Validator]:
    said = schema.get("$schema", next(iter(DIALECTS)))
    dialect = DIALECTS.get(said.removesuffix("#")) if isinstance(said, str) else None
    if dialect is None:
        raise InvalidError(f"must be one of {', '.join(DIALECTS)}", f"{_ROOT}.$schema")
    return dialect


def _check_parts(schema: Schema) -> None:
    """Refuses what a valid schema may have and this place cannot do."""
    names: set[str] = set()
    for path, part in _parts(schema):
        names |= part.keys()
        if path != _ROOT and any(isinstance(part.get(name), str) for name in ("$id", "$schema")):
            raise InvalidError("must be one schema: no $id and no $schema within", path)
        if isinstance(pattern := part.get("pattern"), str):
            _check_pattern(pattern, f"{path}.pattern")
        if isinstance(patterns := part.get("patternProperties"), dict):
            for pattern in patterns:
                _check_pattern(pattern, f"{path}.patternProperties")
    if "unevaluatedProperties" in names and names & {"patternProperties", "dependentSchemas"}:
        why = "does not go together with patternProperties and dependentSchemas here"
        raise InvalidError(why, f"{_ROOT}.unevaluatedProperties")


def _check_references(schema: Schema, dialect: type[Validator]) -> None:
    specification = specification_with(str(dialect.META_SCHEMA["$schema"]))
    resolver = Registry().resolver_with_root(specification.create_resource(schema))
    for path, part in _parts(schema):
        for name in ("$ref", "$dynamicRef", "$recursiveRef"):
            if not isinstance(where := part.get(name), str):
                continue
            if not where.startswith("#"):
                raise InvalidError("must begin with #: nothing is fetched", f"{path}.{name}")
            try:
                found = resolver.lookup(where).contents
            except Unresolvable as error:
                raise InvalidError("leads nowhere", f"{path}.{name}") from error
            if not isinstance(found, dict | bool):
                raise InvalidError("leads to no schema", f"{path}.{name}")


def _parts(value: object, path: str = _ROOT) -> Iterator[tuple[str, Schema]]:
    """Every object in the schema, be it a schema or not: what stands in an example is not told apart."""
    if isinstance(value, dict):
        yield path, value
        for name, inner in value.items():
            yield from _parts(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _parts(inner, f"{path}.{index}")


def _refuse(field: str, errors: Iterable[ValidationError]) -> None:
    """Raises InvalidError if there are any."""
    if faults := tuple(_fault(field, error) for error in islice(errors, MOST_FAULTS)):
        raise InvalidError("", faults=faults)


def _fault(field: str, error: ValidationError) -> FieldFault:
    message = error.message
    if len(message) > LONGEST_MESSAGE:  # it repeats the value, which may be the whole payload
        message = f"does not satisfy {error.validator}: {reprlib.repr(error.validator_value)}"
    return FieldFault(".".join([field, *(str(part)[:80] for part in error.absolute_path)]), message)


def _number(text: str) -> float | int:
    """To JSON Schema, 1.0 is the integer 1."""
    number = float(text)
    return int(number) if number.is_integer() else number


# Bounded work


@contextmanager
def _time_limit() -> Iterator[None]:
    """Computing, not waiting: a busy machine refuses nobody."""
    token = _deadline.set(thread_time() + LONGEST_CHECK)
    try:
        yield
    finally:
        _deadline.reset(token)


@lru_cache
def _bounded(dialect: type[Validator]) -> type[Validator]:
    """The same dialect, with keywords that look at the clock and do no more than linear work of their own."""
    own: Mapping[str, Keyword] = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
    }
    keywords = {**dialect.VALIDATORS, **own}
    bounded: type[Validator] = extend(  # type: ignore[no-untyped-call]  # the stubs leave it out
        dialect, {name: _timed(keyword) for name, keyword in keywords.items()}
    )
    return bounded


def _timed(keyword: Keyword) -> Keyword:
    def timed(validator: Any, value: Any, instance: Any, schema: Any) -> Iterable[ValidationError] | None:
        _look_at_the_clock()
        return keyword(validator, value, instance, schema)

    return timed


def _look_at_the_clock() -> None:
    if thread_time() > _deadline.get():
        raise _TooLongError


def _pattern(validator: Any, pattern: str, instance: Any, schema: Schema) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _matches(pattern, instance):
        yield ValidationError(f"{reprlib.repr(instance)} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Schema, instance: Any, schema: Schema) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for pattern, inner in patterns.items():
        for name, value in instance.items():
            if _matches(pattern, name):
                yield from validator.descend(value, inner, path=name, schema_path=pattern)


def _additional_properties(validator: Any, inner: Any, instance: Any, schema: Schema) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    more = [name for name in instance if name not in known and not any(_matches(each, name) for each in patterns)]
    if inner is False:
        for name in more:
            yield ValidationError("is not allowed", path=[name])
    else:
        for name in more:
            yield from validator.descend(instance[name], inner, path=name)


def _unique_items(validator: Any, wanted: bool, instance: Any, schema: Schema) -> Iterator[ValidationError]:
    if not wanted or not isinstance(instance, list):
        return
    seen: set[str] = set()
    for index, item in enumerate(instance):
        text = json.dumps(item, sort_keys=True)
        if text in seen:
            yield ValidationError("is there twice", path=[index])
        seen.add(text)


# Patterns


def _matches(pattern: str, text: str) -> bool:
    _look_at_the_clock()
    return _regex(pattern).isinstance_python(text)


@lru_cache(maxsize=4_000)
def _regex(pattern: str) -> SchemaValidator:
    return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))


def _check_pattern(pattern: str, field: str) -> None:
    try:
        _regex(pattern)
    except SchemaError as error:
        why = str(error).rpartition("error: ")[2].strip() or "not a regular expression"
        raise InvalidError(f"is no regular expression that is known here: {why}", field) from error
