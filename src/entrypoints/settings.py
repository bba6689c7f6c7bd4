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

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, populate_by_name=True)

    port: Annotated[int, Field(ge=0, le=65535)] = DEFAULT_PORT
    host: str = "127.0.0.1"
    postgres_url: str = ""
    nats_url: str = ""
    nats_public_url: str = ""
    jwks_url: str = ""
    jwt_issuer: str = ""
    jwt_audience: str = ""
    tenant_claim: str = "tenant"
    default_tz: str = "UTC"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    rota_data_dir: Path | None = None
    rota_worker_nats_user: str = ""
    rota_worker_nats_password: str = ""
    rota_election: Literal["on", "off"] = "on"
    rota_fault_points: str = ""
    rota_tenant_weights: dict[TenantId, Annotated[float, Field(gt=0, le=1000)]] = {}
    rota_retention: Retained = Retained()
    webhook_hmac_secret: str = ""
    rota_webhooks_to_private: bool = False
    rota_brokers: str = ""
    rota_delivery_slots: Annotated[int, Field(ge=1, le=20_000)] = 2_000
    rota_metrics_port: Annotated[int | None, Field(ge=0, le=65535)] = None
    rota_pool_size: Annotated[int, Field(ge=2, le=100)] = 8

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
