"""A process that starts both servers, says so, and waits to be killed: python parent.py DATA_DIR [uvloop]"""

import asyncio
import json
import sys
from pathlib import Path

import uvloop

from rota.infrastructure.embedded.servers import EmbeddedServers


async def main() -> None:
    async with EmbeddedServers(Path(sys.argv[1])) as servers:
        print(json.dumps({"postgres": servers.postgres.pid, "nats": servers.nats.pid}), flush=True)
        await servers.watch()


if "uvloop" in sys.argv:
    uvloop.run(main())
else:
    asyncio.run(main())
