"""Signatures, and the secrets they are made with."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from tests.unit.webhooks.parcels import OLD_SECRET, SECRET

from rota.domain.errors import InvalidError
from rota.infrastructure.webhooks.signature import Signer, parse_secrets

RUN = "01890a5d-ac96-774b-bcce-b302099a8057"


def of_bytes(count: int) -> str:
    return base64.b64encode(b"k" * count).decode()


def test_a_signature_of_the_standards_own_example_is_the_standards() -> None:
    signer = Signer(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    at = datetime.fromtimestamp(1614265330, UTC)

    signature = signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, '{"test": 2432232314}')

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_during_a_rotation_both_secrets_verify(secret: str) -> None:
    now = datetime.now(UTC)
    signature = Signer([SECRET, OLD_SECRET]).sign(RUN, now, "{}")
    assert signature is not None

    headers = {"webhook-id": RUN, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}

    assert Webhook(secret).verify("{}", headers) == {}
    assert len(signature.split(" ")) == 2


def test_another_secret_does_not_verify() -> None:
    now = datetime.now(UTC)
    signature = Signer([SECRET]).sign(RUN, now, "{}")
    assert signature is not None
    headers = {"webhook-id": RUN, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}

    with pytest.raises(WebhookVerificationError):
        Webhook(OLD_SECRET).verify("{}", headers)


def test_nothing_is_signed_without_a_secret() -> None:
    assert Signer([]).sign(RUN, datetime.now(UTC), "{}") is None


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("", ()),
        (" , ", ()),
        (SECRET, (SECRET,)),
        (SECRET.removeprefix("whsec_"), (SECRET.removeprefix("whsec_"),)),
        (f"{SECRET},{OLD_SECRET}", (SECRET, OLD_SECRET)),
        (f" {SECRET} \n {OLD_SECRET},", (SECRET, OLD_SECRET)),
        (of_bytes(25).rstrip("="), (of_bytes(25).rstrip("="),)),
        (of_bytes(64), (of_bytes(64),)),
    ],
)
def test_a_setting_holds_up_to_two_secrets(text: str, secrets: tuple[str, ...]) -> None:
    assert parse_secrets(text) == secrets


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("correct-horse battery-staple", id="plain words"),
        pytest.param("whsec_", id="empty"),
        pytest.param("whsec_not*base64*at*all*not*base64*at*all", id="not base64"),
        pytest.param("whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", id="the asymmetric kind"),
        pytest.param("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-_", id="base64 for URLs"),
        pytest.param(of_bytes(23), id="too short"),
        pytest.param(of_bytes(65), id="too long"),
        pytest.param(f"{SECRET},{OLD_SECRET},{SECRET}", id="three"),
        pytest.param("whsec_ключключключключключключключ", id="not ASCII"),
    ],
)
def test_a_bad_secret_is_refused_by_the_settings_name_and_never_shown(text: str) -> None:
    with pytest.raises(InvalidError, match="WEBHOOK_HMAC_SECRET") as refused:
        parse_secrets(text)

    assert not any(part in str(refused.value) for part in text.replace("whsec_", "").split() if part)


def test_a_signer_refuses_a_bad_secret_too() -> None:
    with pytest.raises(InvalidError, match="WEBHOOK_HMAC_SECRET"):
        Signer(["hunter2"])
