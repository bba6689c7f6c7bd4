"""Settings, read once from the environment or `.env`, frozen. A bad value stops the start with one line."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from rota.domain.errors import InvalidError
from rota.domain.ids import TenantId
from rota.domain.retention import Ages, RetentionPolicy
from rota.domain.time.zone import load_zone

ROLES = ("api", "leader", "relay", "reports", "targets")
DEFAULT_PORT = 3080

Days = Annotated[float | None, Field(ge=0, le=36_600)]


class SettingsError(Exception):
    """One line that names the setting."""


class Kept(BaseModel):
    """For how many days what is over is kept; null is for ever."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    succeeded: Days = 30
    cancelled: Days = 30
    skipped: Days = 30
    dead: Days = 90
    events: Days = 30

    def to_ages(self) -> Ages:
        return Ages(**{name: None if days is None else timedelta(days=days) for name, days in self})


class Retained(Kept):
    """`tenants` have ages of their own, wholly."""

    tenants: dict[TenantId, Kept] = {}

    def to_policy(self) -> RetentionPolicy:
        own = Kept(**self.model_dump(exclude={"tenants"}))
        return RetentionPolicy(
            ages=own.to_ages(), tenants={tenant: kept.to_ages() for tenant, kept in self.tenants.items()}
        )


class Settings(BaseSettings):
    """Names are those of the environment, in upper case."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, populate_by_name=True, use_attribute_docstrings=True
    )

    port: Annotated[int, Field(ge=0, le=65535)] = DEFAULT_PORT
    """Where the API listens; 0 is any that is free."""
    host: str = "127.0.0.1"
    """On which address. `0.0.0.0` is all of them."""
    postgres_url: str = ""
    """The database, with its credentials. `rota up` has its own."""
    nats_url: str = ""
    """The bus, with the operator's credentials; 2.12 or newer, with JetStream. `rota up` has its own."""
    nats_public_url: str = ""
    """The address of the bus that workers are told; unless said, that of `NATS_URL`."""
    jwks_url: str = ""
    """Where the keys of your own issuer of tokens are. Without it, tokens are signed by the key in `ROTA_DATA_DIR`."""
    jwt_issuer: str = ""
    """What a token's `iss` must be; empty is any."""
    jwt_audience: str = ""
    """What a token's `aud` must hold; empty is any."""
    tenant_claim: str = "tenant"
    """The claim of a token that names its tenant."""
    default_tz: str = "UTC"
    """The zone of schedules that name none."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """`DEBUG`, `INFO`, `WARNING` or `ERROR`."""
    log_format: Literal["json", "console"] = "json"
    """`json` is one line of JSON for each fact, `console` is for people."""
    rota_data_dir: Path | None = None
    """The key that tokens are signed with, and all data of `rota up`. Unless said, `/var/lib/rota` for root, else
    `~/.local/share/rota`.
    """
    rota_worker_nats_user: str = ""
    """The user that workers are told to connect to the bus as."""
    rota_worker_nats_password: str = ""
    """That user's password."""
    rota_election: Literal["on", "off"] = "on"
    """`off` has every process with the role `leader` lead: for tests, which show that nothing is doubled then
    either.
    """
    rota_fault_points: str = ""
    """Where tests stop or kill this process. Leave it empty."""
    rota_tenant_weights: dict[TenantId, Annotated[float, Field(gt=0, le=1000)]] = {}
    """Who gets more than an equal part of the turns: `{"acme": 3}`."""
    rota_retention: Retained = Retained()
    """For how many days what is over is kept; null is for ever. `tenants` has ages of their own for some:
    `{"tenants": {"acme": {"succeeded": 365}}}`.
    """
    webhook_hmac_secret: str = ""
    """One or two secrets that webhooks are signed with, as `whsec_…`, separated by a space: two while you rotate."""
    rota_webhooks_to_private: bool = False
    """Lets webhooks go to private and loopback addresses."""
    rota_brokers: str = ""
    """Brokers for QUEUE targets: `{"billing": "amqp://…", "cache": "redis://…", "stream": "kafka://host:9092"}`."""
    rota_delivery_slots: Annotated[int, Field(ge=1, le=20_000)] = 2_000
    """How many deliveries this process carries out at once."""
    rota_metrics_port: Annotated[int | None, Field(ge=0, le=65535)] = None
    """Where a process without the role `api` answers `/metrics`, `/health`, `/ready` and `/live`."""
    rota_pool_size: Annotated[int, Field(ge=2, le=100)] = 8
    """How many connections each of this process's pools may open to the database."""

    @field_validator("default_tz")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            load_zone(name)
        except InvalidError as error:
            raise ValueError(str(error)) from error
        return name


def read_settings(**given: object) -> Settings:
    """The environment's settings, with `given` above them. Raises SettingsError."""
    try:
        return Settings(**given)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper() if first["loc"] else "settings"
        raise SettingsError(f"{name}: {first['msg']}") from error


def default_data_dir() -> Path:
    """Where a service run by root keeps its data, else where a user's programs do."""
    if os.geteuid() == 0:
        return Path("/var/lib/rota")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "rota"
