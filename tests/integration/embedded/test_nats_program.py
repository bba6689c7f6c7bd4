"""Which nats-server is taken, and which is refused."""

from pathlib import Path

import pytest

from rota.infrastructure.embedded.child import EmbeddedServerError
from rota.infrastructure.embedded.nats import EmbeddedNats


def a_program(path: Path, says: str) -> Path:
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("says", ["nats-server: v2.11.9", "nats-server: v1.99.0", "something else"])
async def test_a_server_that_is_too_old_is_refused(tmp_path: Path, says: str) -> None:
    old = EmbeddedNats(tmp_path / "data", binary=a_program(tmp_path / "nats-server", says))

    with pytest.raises(EmbeddedServerError, match=f"is {says}; Rota needs 2.12 or newer"):
        await old.start()


async def test_a_program_that_cannot_be_run_is_refused(tmp_path: Path) -> None:
    missing = EmbeddedNats(tmp_path / "data", binary=tmp_path / "nowhere")

    with pytest.raises(EmbeddedServerError, match=r"cannot run .*nowhere: No such file"):
        await missing.start()


async def test_a_bad_sync_interval_is_told_at_start(tmp_path: Path) -> None:
    wrong = EmbeddedNats(tmp_path / "data", sync_interval="sometimes")

    with pytest.raises(EmbeddedServerError, match=r"ended while it was starting.*sync_interval"):
        await wrong.start()


async def test_every_message_can_be_synced(tmp_path: Path) -> None:
    careful = EmbeddedNats(tmp_path / "data", sync_interval="always")

    await careful.start()

    assert careful.is_running
    await careful.stop()
