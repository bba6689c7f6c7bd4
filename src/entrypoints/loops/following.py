"""What is new in the event log goes to those who follow it over HTTP."""

from __future__ import annotations

from rota.application.follow_events import Followers
from rota.entrypoints.loops.pace import forever


class FollowingLoop:
    """When it is stopped all streams end, so that the HTTP server need not wait for them."""

    def __init__(self, followers: Followers) -> None:
        self._followers = followers

    async def run(self) -> None:
        try:
            await forever("following", self._followers.step)
        finally:
            self._followers.end()
