"""A walk over the OpenAPI document, by schemathesis: whatever is sent, the answer is one that the document tells.

It sends the document's examples, then what its schemas allow and what they forbid, then chains of calls. All its checks
are on, but for whether good data is taken where rules of more than one field, or of what is stored, judge it (each is
named in `walk.toml`): no 5xx, documented statuses, media types, headers and bodies, bad data refused, good data taken, tokens asked
for, what was made is there, what was deleted is not. `ROTA_API_EXAMPLES` is how many calls it makes up for each
operation; with more than the usual few it takes as long as that takes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.contract_http.conftest import Caller
from tests.contract_http.walking import JOB
from tests.e2e.test_up import Up

HERE = Path(__file__).parent
USUAL = 5
ENDLESS = {"follow_events"}
EXAMPLES = int(os.environ.get("ROTA_API_EXAMPLES", USUAL))


@pytest.mark.timeout(300 if EXAMPLES <= USUAL else 0)
def test_every_answer_is_one_that_the_document_tells(up: Up, tmp_path: Path) -> None:
    url = f"{up.ready['url']}/api/v1"
    with Caller(base_url=url, headers={"Authorization": f"Bearer {up.ready['token']}"}) as caller:
        caller.posts("/jobs", {"name": JOB})
        document = caller.gets("/openapi.json")
    config = tmp_path / "walk.toml"
    config.write_text(f'hooks = "{HERE / "walking.py"}"\n' + (HERE / "walk.toml").read_text())

    walk = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(config),
            "run", f"{url}/openapi.json", "--url", url, "--max-examples", str(EXAMPLES), "--no-color",
        ],
        cwd=tmp_path,
        env=os.environ | {"ROTA_TOKEN": up.ready["token"]},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip

    assert walk.returncode == 0, walk.stdout + walk.stderr
    known = {operation["operationId"] for found in document["paths"].values() for operation in found.values()}
    assert f"{len(known - ENDLESS)} selected / {len(known)} total" in walk.stdout
