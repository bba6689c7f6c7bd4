"""Up to where in ROTA_REPORTS the bus has acknowledged this worker's reports."""

from typing import Any


class ReportPlace:
    """The `reportSeq` of heartbeats: the stream, by its creation time, and the last place below which all are stored.

    A stream that was made anew counts from 1 again. That is noticed by an acknowledgement that steps back, or suspected
    (after a reconnect, and now and then); until the bus has named the stream's creation time again, the old one stands.
    """

    def __init__(self) -> None:
        self._stream: str | None = None
        self._seq = 0
        self._last = 0
        self._since_doubt = 0
        self._doubts = 1
        self._settled = 0
        self._open: dict[int, int | None] = {}

    @property
    def doubts(self) -> int:
        """How often the stream has been in doubt; to be handed back with the answer."""
        return self._doubts

    @property
    def is_in_doubt(self) -> bool:
        return self._settled != self._doubts

    def as_wire(self) -> dict[str, Any] | None:
        """None as long as the stream's creation time was never heard."""
        return None if self._stream is None else {"stream": self._stream, "seq": self._seq}

    def sent(self, batch: int) -> None:
        self._open.setdefault(batch, None)

    def stored(self, batch: int, seq: int, *, is_duplicate: bool = False) -> None:
        """A duplicate is acknowledged with the place of the first, which may lie behind others."""
        if batch not in self._open:
            return
        if seq < self._last and not is_duplicate:
            self.doubt()
        self._last = seq
        self._open[batch] = seq
        self._advance()

    def doubt(self) -> None:
        """The stream may be another one."""
        self._doubts += 1
        self._since_doubt = 0

    def settle(self, created: str, doubts: int) -> None:
        """The bus has named the stream's creation time, asked when there had been `doubts` doubts."""
        is_same = created == self._stream
        self._seq = max(self._seq, self._since_doubt) if is_same else self._since_doubt
        self._stream = created
        self._settled = doubts

    def _advance(self) -> None:
        while self._open:
            batch, seq = next(iter(self._open.items()))
            if seq is None:
                return
            del self._open[batch]
            self._since_doubt = max(self._since_doubt, seq)
            if not self.is_in_doubt:
                self._seq = max(self._seq, seq)
