"""The adapter for OpenAI-shaped servers keeps the promises of its port, in front of each simulated server."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import ClassVar

import pytest

from reelgate_server.adapters.providers.openai.dialects import Dialect
from reelgate_server.adapters.providers.openai.provider import OpenAiProvider
from reelgate_server.domain.events import Task
from reelgate_server.domain.ids import ProviderName
from reelgate_server.ports.provider import RenderOrder
from reelgate_simulators.openai import API_KEY, OpenAiService, OpenAiSimulator
from tests.contract.provider_contract import ProviderContract
from tests.support.builders import job_id
from tests.support.render_orders import make_order


class OpenAiContract(ProviderContract):
    stops_when_cancelled = False
    accent: str
    dialect: Dialect
    keys: ClassVar[Mapping[str, str]] = {"main": API_KEY}

    def order(self, number: int = 1) -> RenderOrder:
        return replace(make_order(number, seconds=4, resolution="720p"), endpoint="sora-2")

    def long_order(self, number: int = 1) -> RenderOrder:
        order = make_order(number, seconds=4, resolution="720p", prompt="[stuck] A kite over the sea")
        return replace(order, endpoint="sora-2")

    def unknown_task(self) -> Task:
        return Task(task_id=job_id(999), credential=next(iter(self.keys), None))

    @pytest.fixture
    async def provider(self) -> AsyncIterator[OpenAiProvider]:
        service = OpenAiService(dialect=self.accent, api_key=self.keys.get("main"), poll_after_ms=100)
        async with (
            OpenAiSimulator(service=service) as simulator,
            OpenAiProvider(
                name=ProviderName("studio"),
                base_url=f"{simulator.base_url}/v1",
                dialect=self.dialect,
                keys=self.keys,
            ) as provider,
        ):
            yield provider


class TestPlain(OpenAiContract):
    accent, dialect = "openai", Dialect.OPENAI


class TestSglang(OpenAiContract):
    accent, dialect = "sglang", Dialect.SGLANG
    keys: ClassVar[Mapping[str, str]] = {}


class TestOlderSglang(OpenAiContract):
    accent, dialect = "sglang_older", Dialect.SGLANG


class TestVllmOmni(OpenAiContract):
    """What is cancelled is deleted, so that it ends as unknown and not as failed."""

    accent, dialect = "vllm_omni", Dialect.VLLM_OMNI


class TestLitellm(OpenAiContract):
    accent, dialect = "litellm", Dialect.LITELLM


class TestLitellmBeforeVertex(OpenAiContract):
    accent, dialect = "litellm_vertex_ai", Dialect.LITELLM
