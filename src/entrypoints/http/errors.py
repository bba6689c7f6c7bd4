"""What can be wrong with a call before the application hears of it."""

from __future__ import annotations

from rota.domain.errors import FieldFault, ForbiddenError, RotaError


class UnreadableError(RotaError):
    """The call cannot be understood."""

    code = "unreadable"

    def __init__(self, message: str, field: str | None = None) -> None:
        self.faults = () if field is None else (FieldFault(field, message),)
        super().__init__(message if field is None else f"{field}: {message}")


class ForeignTenantError(ForbiddenError):
    """The call says a tenant that is not the caller's; `field` is where."""

    def __init__(self, field: str) -> None:
        self.faults = (FieldFault(field, "is not the tenant of the token"),)
        super().__init__(f"{field} is not the tenant of the token")


class TooLargeError(RotaError):
    code = "too-large"


class TooSlowError(RotaError):
    code = "too-slow"
