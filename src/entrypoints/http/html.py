"""How pages look that need nothing but themselves: no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --accent: #2b6cb0; }
@media (prefers-color-scheme: dark) { :root { --accent: #7fb2e8; } }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; display: grid; grid-template-columns: 17rem minmax(0, 62rem); }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1.5rem 1rem;
  border-right: 1px solid var(--line); }
nav a { display: block; padding: .1rem 0; overflow-wrap: anywhere; }
nav h2 { font-size: .8rem; text-transform: uppercase; letter-spacing: .05em; margin: 1.2rem 0 .3rem; opacity: .7; }
main { padding: 1.5rem 2rem 6rem; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
h1 { margin-top: 0; }
section { border-top: 1px solid var(--line); padding-top: .5rem; margin-top: 2rem; }
code, pre { font: 13px/1.45 ui-monospace, monospace; }
code { background: var(--soft); padding: .1em .35em; border-radius: .25em; overflow-wrap: anywhere; }
pre { background: var(--soft); padding: .8rem 1rem; border-radius: .4rem; overflow: auto; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; opacity: .7; }
td:first-child { white-space: nowrap; }
details { border: 1px solid var(--line); border-radius: .4rem; padding: .4rem .8rem; margin: .5rem 0; }
summary { cursor: pointer; }
summary .about { opacity: .75; margin-left: .6em; }
.method { display: inline-block; min-width: 4.2em; font-weight: 600; color: var(--accent); }
.pill { font-size: .75rem; border: 1px solid currentColor; border-radius: 1em; padding: .1em .7em; margin-left: .6em;
  color: var(--accent); vertical-align: middle; font-weight: 500; white-space: nowrap; }
small { opacity: .75; }
@media (max-width: 55rem) { body { display: block; } nav { position: static; height: auto; border: 0; } }
"""


def html_page(title: str, nav: str, main: str) -> str:
    """A whole page; what it is given is HTML already."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>'
        f"<nav><strong>{title}</strong>{nav}</nav><main><h1>{title}</h1>{main}</main></body></html>"
    )


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Nothing where there are no rows; cells are HTML already."""
    if not rows:
        return ""
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{each}</td>" for each in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
