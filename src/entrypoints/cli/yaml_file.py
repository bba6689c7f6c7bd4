"""YAML as JSON has it: the values that the core schema of YAML 1.2 knows, and no others.

PyYAML follows YAML 1.1, for which `NO` (Norway) is false, `9:30` is 570 and `010` is 8.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rota.domain.errors import InvalidError

if TYPE_CHECKING:
    from yaml import SafeLoader

_PLAIN = (
    ("null", re.compile(r"~|null|Null|NULL|"), ["~", "n", "N", ""]),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF")),
    ("int", re.compile(r"[-+]?(0|[1-9][0-9]*)"), list("-+0123456789")),
    ("float", re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), list("-+.0123456789")),
    ("merge", re.compile(r"<<"), ["<"]),
)


def load_yaml(raw: bytes) -> Any:  # Any: JSON
    """Raises InvalidError where it cannot be read, or a key stands twice in one place."""
    try:
        import yaml
    except ImportError as error:
        raise InvalidError("is not JSON, and to read YAML takes the package PyYAML") from error
    try:
        return yaml.load(raw, _loader())  # a SafeLoader
    except yaml.YAMLError as error:
        raise InvalidError(f"is neither JSON nor YAML: {' '.join(str(error).split())}") from error


@lru_cache
def _loader() -> type[SafeLoader]:
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # Any: PyYAML's own signature
            seen = set()
            for key, _ in node.value:
                name = (key.tag, key.value)
                if key.tag != "tag:yaml.org,2002:merge" and name in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands twice", key.start_mark)
                seen.add(name)
            return super().construct_mapping(node, deep)

    Loader.yaml_implicit_resolvers = {}
    for tag, pattern, first in _PLAIN:
        whole = re.compile(f"^(?:{pattern.pattern})$")
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", whole, first)
    return Loader
