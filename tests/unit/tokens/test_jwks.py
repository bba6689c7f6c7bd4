"""Tokens of an issuer that publishes its keys, and an endpoint that fails in every way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from rota.application.ports.tokens import READ, Claims
from rota.domain.errors import UnauthenticatedError, UnavailableError
from rota.infrastructure.tokens.jwks import LONGEST_LIST, JwksTokens, Pace
from rota.infrastructure.tokens.rules import Rules

NOW = 1_767_225_600.0
URL = "https://issuer.example/keys"
PACE = Pace(refresh_every=300, cool_down=30, max_age=3600, timeout=5)
RULES = Rules(issuer="https://issuer.example", audience="rota", tenant_claim="org")

Answer = httpx.Response | Exception


def ec(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", parameters={"kid": kid, "use": "sig"})


def listed(*keys: Key, **more: Any) -> httpx.Response:
    return httpx.Response(200, json={"keys": [key.as_dict(private=False) for key in keys], **more})


def token(key: Key, alg: str = "ES256", header: dict[str, Any] | None = None, **claims: Any) -> str:
    good = {"iss": "https://issuer.example", "aud": "rota", "org": "acme", "scope": READ, "exp": NOW + 60}
    said = {name: value for name, value in (good | claims).items() if value is not ...}
    return jwt.encode({"alg": alg, "kid": key.kid} | (header or {}), said, key, algorithms=[alg])


@dataclass
class Issuer:
    """Answers with what a test gives it, and counts how often it was asked."""

    answer: Answer | Callable[[], Any]
    asked: int = 0
    clock: float = 1_000.0
    paused: list[float] = field(default_factory=list)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        answer = self.answer
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return answer
        made: httpx.Response = await answer()
        return made

    def tokens(self, rules: Rules = RULES, pace: Pace = PACE, pause: Any = asyncio.sleep) -> JwksTokens:
        client = httpx.AsyncClient(transport=httpx.MockTransport(self))
        return JwksTokens(URL, rules, client, pace=pace, now=lambda: NOW, monotonic=lambda: self.clock, pause=pause)


async def test_the_issuers_token_is_believed_and_its_keys_are_asked_for_once() -> None:
    key = ec("a")
    issuer = Issuer(listed(key))
    tokens = issuer.tokens()

    for _ in range(3):
        assert await tokens.verify(token(key)) == Claims("acme", frozenset({READ}))
    assert await tokens.verify(token(key, aud=["other", "rota"])) == Claims("acme", frozenset({READ}))
    assert issuer.asked == 1


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"iss": ...},
        {"aud": "other"},
        {"aud": ["other"]},
        {"aud": ...},
        {"org": ...},
        {"org": ..., "tenant": "acme"},
        {"exp": NOW - 1},
        {"exp": ...},
    ],
)
async def test_a_signature_is_not_enough(claims: dict[str, Any]) -> None:
    key = ec("a")

    with pytest.raises(UnauthenticatedError):
        await Issuer(listed(key)).tokens().verify(token(key, **claims))


async def test_issuer_and_audience_are_asked_for_only_where_they_are_set() -> None:
    key = ec("a")

    believed = await Issuer(listed(key)).tokens(Rules()).verify(token(key, iss=..., aud="x", org=..., tenant="acme"))

    assert believed.tenant == "acme"


@pytest.mark.parametrize(
    ("key", "alg"),
    [
        (ECKey.generate_key("P-384", parameters={"kid": "k"}), "ES384"),
        (RSAKey.generate_key(2048, parameters={"kid": "k"}), "RS256"),
        (RSAKey.generate_key(2048, parameters={"kid": "k", "alg": "PS256"}), "PS256"),
        (OKPKey.generate_key("Ed25519", parameters={"kid": "k"}), "Ed25519"),
    ],
)
async def test_the_usual_algorithms_are_read(key: Key, alg: str) -> None:
    assert (await Issuer(listed(key)).tokens().verify(token(key, alg))).tenant == "acme"


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # joserfc, as it signs
async def test_the_older_name_of_eddsa_is_read_without_a_word() -> None:
    key = OKPKey.generate_key("Ed25519", parameters={"kid": "k"})

    assert (await Issuer(listed(key)).tokens().verify(token(key, "EdDSA"))).tenant == "acme"


async def test_a_key_is_for_the_algorithm_that_it_names() -> None:
    key = RSAKey.generate_key(2048, parameters={"kid": "k"})
    published = key.as_dict(private=False) | {"alg": "PS256"}

    with pytest.raises(UnauthenticatedError):
        await Issuer(httpx.Response(200, json={"keys": [published]})).tokens().verify(token(key, "RS256"))


async def test_keys_that_cannot_sign_tokens_are_passed_over() -> None:
    good, secret = ec("good"), OctKey.generate_key(256, parameters={"kid": "secret"})
    weak = {**RSAKey.generate_key(2048).as_dict(private=False), "kid": "weak", "n": "AQAB"}
    others = [
        secret.as_dict(private=True),
        ec("enc").as_dict(private=False) | {"use": "enc"},
        {"kty": "EC", "crv": "P-256", "kid": "broken", "x": "AA", "y": "AA"},
        {"kty": "AKP", "kid": "later"},
        {"kty": "EC"},
        weak,
        {"kty": ["EC"]},
        "text",
        None,
    ]
    issuer = Issuer(httpx.Response(200, json={"keys": [*others, good.as_dict(private=False)]}))
    tokens = issuer.tokens()

    assert await tokens.verify(token(good))
    with pytest.raises(UnauthenticatedError):
        await tokens.verify(token(secret, "HS256"))


async def test_a_token_without_a_kid_is_for_the_only_key() -> None:
    one, two = ec("a"), ec("b")

    def without_kid(key: ECKey) -> str:
        said = {"iss": RULES.issuer, "aud": "rota", "org": "acme", "exp": NOW + 60}
        return jwt.encode({"alg": "ES256"}, said, key)

    assert await Issuer(listed(one)).tokens().verify(without_kid(one))
    with pytest.raises(UnauthenticatedError):
        await Issuer(listed(one, two)).tokens().verify(without_kid(one))


async def test_a_new_key_is_fetched_when_a_token_names_it() -> None:
    old, new = ec("old"), ec("new")
    issuer = Issuer(listed(old))
    tokens = issuer.tokens()
    await tokens.verify(token(old))
    issuer.answer = listed(old, new)
    issuer.clock += PACE.cool_down

    assert await tokens.verify(token(new))
    assert issuer.asked == 2


async def test_unknown_keys_cost_one_fetch_a_cool_down_whoever_names_them() -> None:
    key = ec("a")
    issuer = Issuer(listed(key))
    tokens = issuer.tokens()
    await tokens.verify(token(key))
    issuer.clock += PACE.cool_down

    strangers = [tokens.verify(token(ec(f"x{n}"))) for n in range(20)]
    refused = await asyncio.gather(*strangers, return_exceptions=True)

    assert {type(error) for error in refused} == {UnauthenticatedError}
    assert issuer.asked == 2


async def test_a_removed_key_is_refused_after_the_next_fetch_though_it_was_believed() -> None:
    kept, removed = ec("kept"), ec("removed")
    issuer = Issuer(listed(kept, removed))
    tokens = issuer.tokens()
    believed = token(removed)
    await tokens.verify(believed)
    issuer.answer = listed(kept)
    issuer.clock += PACE.refresh_every

    assert await tokens.refresh()
    with pytest.raises(UnauthenticatedError):
        await tokens.verify(believed)


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b" " * 65_536


GARBAGE: list[Answer] = [
    httpx.ConnectError("refused"),
    httpx.ReadTimeout("slow"),
    httpx.Response(500),
    httpx.Response(302, headers={"Location": "https://evil.example/keys"}),
    httpx.Response(204),
    httpx.Response(200, text="<html>"),
    httpx.Response(200, json=[]),
    httpx.Response(200, json={"keys": {}}),
    httpx.Response(200, json={"keys": []}),
    httpx.Response(200, content=b"[" * 10_000),
    httpx.Response(200, json={"keys": [], "pad": "x" * LONGEST_LIST}),
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=repr)
async def test_known_keys_serve_while_the_endpoint_fails_and_no_longer_than_they_may(garbage: Answer) -> None:
    key = ec("a")
    issuer = Issuer(listed(key))
    tokens = issuer.tokens()
    await tokens.verify(token(key))
    issuer.answer = garbage

    issuer.clock += PACE.max_age - 1
    assert not await tokens.refresh()
    assert await tokens.verify(token(key))
    issuer.clock += 1
    with pytest.raises(UnavailableError) as refused:
        await tokens.verify(token(key))
    assert refused.value.retry_after == PACE.cool_down

    issuer.clock += PACE.cool_down
    issuer.answer = listed(key)
    assert await tokens.verify(token(key))


async def test_an_endless_list_is_given_up() -> None:
    issuer = Issuer(httpx.Response(200, content=endless()))

    with pytest.raises(UnavailableError):
        await issuer.tokens().verify(token(ec("a")))


async def test_an_endpoint_that_hangs_is_given_up_and_asked_once_for_all() -> None:
    async def hang() -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    issuer = Issuer(hang)
    tokens = issuer.tokens(pace=Pace(timeout=0.01))

    refused = await asyncio.gather(*(tokens.verify(token(ec("a"))) for _ in range(5)), return_exceptions=True)

    assert {type(error) for error in refused} == {UnavailableError}
    assert issuer.asked == 1


async def test_what_is_no_token_costs_no_fetch() -> None:
    issuer = Issuer(listed(ec("a")))

    for text in ("", "a.b.c", "x" * 20_000):
        with pytest.raises(UnauthenticatedError):
            await issuer.tokens().verify(text)
    assert issuer.asked == 0


async def test_keys_are_kept_fresh_and_sooner_after_a_failure() -> None:
    class EnoughError(Exception): ...

    issuer = Issuer(listed(ec("a")))
    answers: list[Answer] = [httpx.Response(500), listed(ec("a"))]

    async def pause(seconds: float) -> None:
        issuer.paused.append(seconds)
        issuer.clock += seconds
        if not answers:
            raise EnoughError
        issuer.answer = answers.pop(0)

    with pytest.raises(EnoughError):
        await issuer.tokens(pause=pause).keep_fresh()

    assert issuer.paused == [PACE.refresh_every, PACE.cool_down, PACE.refresh_every]
    assert issuer.asked == 3
