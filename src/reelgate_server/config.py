"""Settings: the environment over a TOML file over defaults. The only reader of either; docs/configuration.md lists all.

A variable is `REELGATE_` and the setting's name, with `__` between a group and its member, such as
`REELGATE_GRPC_SERVER__PORT`. The names REELGATE_URL, REELGATE_GRPC, REELGATE_API_KEY and
REELGATE_{GEEKHUB,KYMA,CONCURRED}_KEY belong to clients: no setting or group may be called so.
"""

import os
from collections.abc import Collection
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from reelgate_server.domain.accounts import AmbiguousSubmit, BillingPolicy, Plan, Surface
from reelgate_server.domain.ids import PlanName, ProviderName

_URL = r"^https?://[^/?#@\s]+[^?#\s]*$"
"""Without credentials, which would be stored with every task."""

CONFIG_FILE_VARIABLE = "REELGATE_CONFIG"
"""Names the TOML file; none is read if it is unset."""


def _read_number(value: object) -> object:
    """Read a number of seconds, which a variable can only hold as text; what is no number is left to pydantic."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


Duration = Annotated[timedelta, BeforeValidator(_read_number)]
"""A length of time: seconds, or ISO 8601 such as `PT15S`."""


class Group(BaseModel):
    """A group of settings; an unknown name in it is refused."""

    # A mistyped secret must not appear in the error about it.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class GrpcServerSettings(Group):
    """The gRPC listener."""

    host: str = "127.0.0.1"
    """Address to listen on. Envoy stands in front; other machines need not reach it."""
    port: int = Field(default=50051, ge=0, le=65535)
    """0 lets the system choose."""
    concurrent_call_count_max: int = Field(default=20_000, gt=0)
    """Calls at once, open watches included; more are refused with RESOURCE_EXHAUSTED."""
    drain_delay: Duration = Field(default=timedelta(seconds=1), ge=timedelta(), le=timedelta(minutes=5))
    """How long calls are still taken after health checks say otherwise, so that proxies have noticed."""
    stop_grace: Duration = Field(default=timedelta(seconds=5), ge=timedelta(), le=timedelta(hours=1))
    """How long open calls may go on after that. Submits under way at a provider are waited for besides."""


class StoreSettings(Group):
    """The job store."""

    path: Path = Path("var/reelgate.sqlite3")
    """The SQLite file."""


class MediaSettings(Group):
    """The media store."""

    directory: Path = Path("var/media")
    """Where finished videos are kept."""
    base_url: str = "http://127.0.0.1:8080/media"
    """What public addresses begin with; no slash at the end."""


class LocalRendererSettings(Group):
    """The embedded renderer."""

    directory: Path = Path("var/render")
    """Where it works."""
    worker_count: int | None = Field(default=None, gt=0)
    """Processes that render; as many as there are processors, at most 2, if unset."""
    is_stand_in: bool = False
    """Render, visibly simulated, the models whose own provider is not configured. `reelgate up` sets it."""


class WorkerSettings(Group):
    """The driver of jobs."""

    concurrency: int = Field(default=256, gt=0)
    """Jobs driven at once by this process. Waiting for a render takes no place."""
    provider_concurrency: int = Field(default=64, gt=0)
    """Jobs of one provider driven at once by this process; calls and copies count alike."""
    lease: Duration = Field(default=timedelta(seconds=10), ge=timedelta(seconds=1), le=timedelta(minutes=10))
    """How long a job stays claimed after its driver died."""


class FalSettings(Group):
    """fal; configured as soon as it has a key."""

    keys: dict[str, SecretStr] = {}
    """API keys by names of your own; a job is followed with the key that made it."""
    submit_key: str | None = None
    """The name of the key that new jobs are made with; may be left out if there is one."""
    queue_url: str = Field(default="https://queue.fal.run", pattern=_URL)
    jwks_url: str = Field(default="https://rest.fal.ai/.well-known/jwks.json", pattern=_URL)
    """Where the keys are with which fal signs its webhooks."""


class MinimaxSettings(Group):
    """MiniMax; configured as soon as it has a key."""

    keys: dict[str, SecretStr] = {}
    submit_key: str | None = None
    base_url: str = Field(default="https://api.minimax.io", pattern=_URL)
    """Keys of the global host and of the Chinese ones are not interchangeable."""


class VertexSettings(Group):
    """Google Vertex AI; configured as soon as it has a project."""

    project: str | None = None
    location: str = "us-central1"
    storage_uri: str | None = Field(default=None, pattern="^gs://")
    """Where Vertex AI is to write videos, `gs://bucket/folder`; they come inside the answers if unset."""
    credential_files: dict[str, Path] = {}
    """Google credential files by names of your own; Application Default Credentials, as `default`, if there is none."""
    submit_credential: str | None = None
    """The name of the credential that new jobs are made with; may be left out if there is one."""
    access_token: SecretStr | None = None
    """A fixed token in place of credentials: for a proxy that adds its own, or a simulator."""
    base_url: str | None = Field(default=None, pattern=_URL)
    """In place of Google's own host for the location."""
    storage_url: str = Field(default="https://storage.googleapis.com", pattern=_URL)


class OpenAiSettings(Group):
    """One server that speaks the OpenAI Videos shape."""

    base_url: str = Field(pattern=_URL)
    """With the `/v1` at its end, as the OpenAI client takes it."""
    dialect: Literal["openai", "sglang", "vllm_omni", "litellm"] = "openai"
    """Whose reading of the shape it speaks; docs/providers/openai.md."""
    keys: dict[str, SecretStr] = {}
    """None are needed for a server that asks for none."""
    submit_key: str | None = None
    passes_image_urls: bool = False
    """Let the server fetch customers' images itself. It does so from inside your network, and checks no address."""


class MetricsSettings(Group):
    """Measurements, in the Prometheus text format."""

    host: str = "127.0.0.1"
    port: int | None = Field(default=None, ge=0, le=65535)
    """Served under `/metrics`; not served if unset."""


class WatchSettings(Group):
    """Open watches."""

    heartbeat_interval: Duration = Field(
        default=timedelta(seconds=15), ge=timedelta(milliseconds=100), le=timedelta(seconds=60)
    )
    """The longest silence of a stream. Envoy cuts a watch that is silent for 90 s."""
    poll_interval: Duration = Field(
        default=timedelta(seconds=2), ge=timedelta(milliseconds=100), le=timedelta(minutes=1)
    )
    """How long a change made by another process may go unseen."""


class PlanSettings(Group):
    """The terms of an account; DESIGN: money."""

    currency: str = Field(default="USD", pattern="^[A-Z]{3}$")
    markup: Decimal = Field(default=Decimal(1), gt=0, le=1000, decimal_places=6)
    """Factor on the provider's cost."""
    fx: Decimal = Field(default=Decimal(1), gt=0, le=1_000_000, decimal_places=6)
    """Units of `currency` for one US dollar."""
    billing: BillingPolicy = BillingPolicy.HOLD
    surface: Surface = Surface.NATIVE
    """Who answers on the paths that GeekHub and Kyma share: Kyma for `kyma`, otherwise GeekHub."""
    ambiguous_submit: AmbiguousSubmit = AmbiguousSubmit.FAIL
    key_prefix: str = Field(default="rg_live_", pattern="^[a-z][a-z0-9_-]{0,15}$")
    tier: int = Field(default=0, ge=0, le=4)


PLANS_DEFAULT = {
    PlanName("default"): PlanSettings(),
    PlanName("geekhub"): PlanSettings(
        currency="MXN",
        markup=Decimal("1.05"),
        fx=Decimal(20),
        billing=BillingPolicy.ON_COMPLETION,
        surface=Surface.GEEKHUB,
        key_prefix="ghub_sk_live_",
    ),
    PlanName("kyma"): PlanSettings(markup=Decimal("1.35"), surface=Surface.KYMA, key_prefix="ky-", tier=4),
    PlanName("concurred"): PlanSettings(billing=BillingPolicy.UNMETERED, surface=Surface.CONCURRED, key_prefix="ck_"),
}
"""The plans of the three documented gateways, and one without markup. A configured plan replaces one of its name."""


class Settings(BaseSettings):
    """Everything that can be configured."""

    model_config = SettingsConfigDict(
        env_prefix="REELGATE_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        nested_model_default_partial_update=True,
    )

    grpc_server: GrpcServerSettings = GrpcServerSettings()
    store: StoreSettings = StoreSettings()
    media: MediaSettings = MediaSettings()
    local_renderer: LocalRendererSettings = LocalRendererSettings()
    worker: WorkerSettings = WorkerSettings()
    watch: WatchSettings = WatchSettings()
    fal: FalSettings = FalSettings()
    minimax: MinimaxSettings = MinimaxSettings()
    vertex: VertexSettings = VertexSettings()
    openai: dict[str, OpenAiSettings] = {}
    """By the provider's name, which catalogue rows refer to."""
    metrics: MetricsSettings = MetricsSettings()
    public_url: str | None = Field(default=None, pattern=_URL)
    """Where the internet reaches Envoy; providers that have webhooks send them there. None are asked for if unset."""
    plans: dict[PlanName, PlanSettings] = {}
    """By name; added to `PLANS_DEFAULT`."""
    catalogue_path: Path | None = None
    """A catalogue file whose rows replace or extend the shipped ones."""
    geekhub_submit_wait: Duration = Field(default=timedelta(milliseconds=100), ge=timedelta(), le=timedelta(seconds=10))
    """How long GeekHub's create waits for the submit to have been tried."""
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the library's signature)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the library's signature)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments over the environment over the file that `REELGATE_CONFIG` names."""
        path = os.environ.get(CONFIG_FILE_VARIABLE)
        if path and not Path(path).is_file():
            message = f"{CONFIG_FILE_VARIABLE} names {path}, which is no file"
            raise ValueError(message)
        file = (TomlConfigSettingsSource(settings_cls, Path(path)),) if path else ()
        return (init_settings, env_settings, *file)

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        _require_choice("fal.submit_key", self.fal.submit_key, self.fal.keys)
        _require_choice("minimax.submit_key", self.minimax.submit_key, self.minimax.keys)
        for name, server in self.openai.items():
            _require_choice(f"openai.{name}.submit_key", server.submit_key, server.keys)
        _require_choice("vertex.submit_credential", self.vertex.submit_credential, self.vertex.credential_files)
        if taken := {"local", "fal", "minimax", "vertex"} & self.openai.keys():
            message = f"openai: {', '.join(sorted(taken))} is the name of another provider"
            raise ValueError(message)
        return self

    def configured_providers(self) -> frozenset[ProviderName]:
        """The names of the providers that jobs can be given to."""
        names = {"local", *self.openai}
        names |= {name for name, group in (("fal", self.fal), ("minimax", self.minimax)) if group.keys}
        names |= {"vertex"} if self.vertex.project else set()
        return frozenset(map(ProviderName, names))

    def all_plans(self) -> dict[PlanName, Plan]:
        """Every plan by its name, the default ones included."""
        settings = {**PLANS_DEFAULT, **self.plans}
        return {name: Plan(name=name, **plan.model_dump()) for name, plan in settings.items()}


def _require_choice(field: str, chosen: str | None, names: Collection[str]) -> None:
    """Refuse a choice of nothing that is there, and several things without a choice."""
    if chosen is not None and chosen not in names:
        message = f"{field}: there is none of the name {chosen!r}, only {', '.join(sorted(names)) or 'no key at all'}"
        raise ValueError(message)
    if chosen is None and len(names) > 1:
        message = f"{field}: is required, because there are several: {', '.join(sorted(names))}"
        raise ValueError(message)
