# Made from sdk/api by tests/support/twin.py: change it there.
"""The client's calls about jobs."""

from collections.abc import Iterator
from typing import Unpack

from rota.entrypoints.sdk.api_sync.sender import Sender
from rota.entrypoints.sdk.call import WHOLE_PAGE, delete, get, part, patch, post
from rota.entrypoints.sdk.definitions import JobFilter, JobList, JobPatch, JobTerms
from rota.entrypoints.sdk.models import Job, Page


class Jobs(Sender):
    def create_job(self, /, name: str, *, idempotency_key: str | None = None, **definition: Unpack[JobTerms]) -> Job:
        """Raises ConflictError for a name that is taken."""
        return self._send(post("/jobs", Job, {"name": name, **definition}, idempotency_key))

    def get_job(self, job_id: str) -> Job:
        return self._send(get(f"/jobs/{part(job_id)}", Job))

    def list_jobs(self, **filters: Unpack[JobList]) -> Page[Job]:
        """One page, the newest first."""
        return self._send(get("/jobs", Page[Job], filters))

    def iter_jobs(self, **filters: Unpack[JobFilter]) -> Iterator[Job]:
        """All of them, the newest first."""
        return self._every(get("/jobs", Page[Job], {**filters, "limit": WHOLE_PAGE}))

    def change_job(self, job_id: str, /, *, if_match: int | None = None, **patch_: Unpack[JobPatch]) -> Job:
        """A merge patch: what it does not name stays, None is a field's default.

        With `if_match`, a version, it raises StaleVersionError for a job that has another one by now.
        """
        return self._send(patch(f"/jobs/{part(job_id)}", Job, patch_, if_match))

    def delete_job(self, job_id: str, *, if_match: int | None = None) -> None:
        """A job in use stays: ConflictError."""
        return self._send(delete(f"/jobs/{part(job_id)}", if_match))
