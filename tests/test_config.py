"""Settings: where they come from, and which are refused before anything starts."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsError

from reelgate_server.config import Settings

SECRET = "sk-that-nobody-may-see"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of ours in the environment but what the test puts there."""
    for name in list(os.environ):
        if name.upper().startswith("REELGATE_"):
            monkeypatch.delenv(name)


def read(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    """The settings that some variables make; names are without `REELGATE_`."""
    for name, value in variables.items():
        monkeypatch.setenv(f"REELGATE_{name}", value)
    return Settings()


def refusal(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    """Why some variables are refused."""
    with pytest.raises((ValidationError, SettingsError)) as raised:
        read(monkeypatch, **variables)
    return str(raised.value)


class TestSources:
    def test_without_any_every_setting_has_a_default_and_only_the_local_renderer_is_configured(self) -> None:
        settings = Settings()
        assert settings.configured_providers() == {"local"}
        assert (settings.metrics.port, settings.metrics.host, settings.public_url) == (None, "127.0.0.1", None)
        assert (settings.worker.concurrency, settings.worker.provider_concurrency) == (256, 64)
        assert settings.fal.queue_url == "https://queue.fal.run"
        assert settings.fal.jwks_url == "https://rest.fal.ai/.well-known/jwks.json"
        assert settings.minimax.base_url == "https://api.minimax.io"
        assert (settings.vertex.location, settings.vertex.storage_url) == (
            "us-central1",
            "https://storage.googleapis.com",
        )

    def test_a_variable_names_a_member_of_a_group(self, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = read(monkeypatch, WORKER__PROVIDER_CONCURRENCY="7", WORKER__LEASE="2.5", METRICS__PORT="9464")
        assert (settings.worker.provider_concurrency, settings.worker.concurrency) == (7, 256)
        assert settings.worker.lease == timedelta(seconds=2.5)
        assert settings.metrics.port == 9464

    def test_the_environment_comes_before_the_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        file = tmp_path / "reelgate.toml"
        file.write_text('[metrics]\nport = 1\nhost = "10.0.0.1"\n[fal.keys]\nmain = "from the file"\n')
        settings = read(monkeypatch, CONFIG=str(file), METRICS__PORT="2")
        assert (settings.metrics.port, settings.metrics.host) == (2, "10.0.0.1")
        assert settings.fal.keys["main"].get_secret_value() == "from the file"

    def test_a_file_that_is_not_there_is_refused(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("REELGATE_CONFIG", str(tmp_path / "none.toml"))
        with pytest.raises(ValueError, match=r"^REELGATE_CONFIG names .*none\.toml, which is no file$"):
            Settings()

    @pytest.mark.parametrize("text", ["[fal]\nkey = 'x'\n", "[vortex]\nproject = 'x'\n", "[openai.a]\nurl = 'x'\n"])
    def test_a_name_that_is_no_setting_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
    ) -> None:
        file = tmp_path / "reelgate.toml"
        file.write_text(text)
        assert "Extra inputs are not permitted" in refusal(monkeypatch, CONFIG=str(file))

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("METRICS__PORT", "65536"),
            ("METRICS__PORT", "-1"),
            ("WORKER__PROVIDER_CONCURRENCY", "0"),
            ("PUBLIC_URL", "reelgate.example"),
            ("PUBLIC_URL", "https://"),
            ("PUBLIC_URL", "https://reelgate.example/?a=b"),
            ("FAL__QUEUE_URL", "ftp://queue.fal.run"),
            ("VERTEX__STORAGE_URI", "https://storage.example/bucket"),
            ("OPENAI__STUDIO__DIALECT", "sora"),
            ("OPENAI__STUDIO__KEYS__MAIN", "a-key-without-an-address"),
        ],
    )
    def test_a_value_that_cannot_be_used_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        assert refusal(monkeypatch, **{name: value})


class TestProviders:
    @pytest.mark.parametrize(
        ("variables", "names"),
        [
            ({"FAL__KEYS__MAIN": "x"}, {"local", "fal"}),
            ({"FAL__QUEUE_URL": "https://fal.example"}, {"local"}),
            ({"MINIMAX__KEYS": '{"main": "x"}'}, {"local", "minimax"}),
            ({"VERTEX__PROJECT": "x"}, {"local", "vertex"}),
            ({"VERTEX__LOCATION": "europe-west4"}, {"local"}),
            ({"OPENAI__STUDIO__BASE_URL": "http://10.0.0.9:8000/v1"}, {"local", "studio"}),
            (
                {
                    "FAL__KEYS__MAIN": "x",
                    "OPENAI__STUDIO__BASE_URL": "http://10.0.0.9:8000/v1",
                    "OPENAI__ATTIC__BASE_URL": "http://10.0.0.8:8000/v1",
                },
                {"local", "fal", "studio", "attic"},
            ),
        ],
    )
    def test_one_is_configured_by_what_it_cannot_do_without(
        self, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], names: set[str]
    ) -> None:
        assert read(monkeypatch, **variables).configured_providers() == names

    @pytest.mark.parametrize("name", ["local", "fal", "minimax", "vertex"])
    def test_a_server_of_ones_own_cannot_have_the_name_of_another_provider(
        self, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        message = refusal(monkeypatch, **{f"OPENAI__{name.upper()}__BASE_URL": "http://10.0.0.9/v1"})
        assert f"openai: {name} is the name of another provider" in message


class TestKeys:
    def test_one_key_needs_no_choice(self, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = read(monkeypatch, FAL__KEYS__MAIN=SECRET)
        assert settings.fal.submit_key is None
        assert settings.fal.keys["main"].get_secret_value() == SECRET

    @pytest.mark.parametrize(
        ("prefix", "field"),
        [
            ("FAL__", "fal.submit_key"),
            ("MINIMAX__", "minimax.submit_key"),
            ("OPENAI__STUDIO__", "openai.studio.submit_key"),
        ],
    )
    def test_several_keys_need_one(self, monkeypatch: pytest.MonkeyPatch, prefix: str, field: str) -> None:
        both = {f"{prefix}KEYS__NEW": "x", f"{prefix}KEYS__OLD": "y", "OPENAI__STUDIO__BASE_URL": "http://10.0.0.9/v1"}
        assert f"{field}: is required, because there are several: new, old" in refusal(monkeypatch, **both)
        assert f"{field}: there is none of the name 'other'" in refusal(
            monkeypatch, **both, **{f"{prefix}SUBMIT_KEY": "other"}
        )
        settings = read(monkeypatch, **both, **{f"{prefix}SUBMIT_KEY": "new"})
        assert "new" in {settings.fal.submit_key, settings.minimax.submit_key, settings.openai["studio"].submit_key}

    def test_a_choice_without_keys_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        message = refusal(monkeypatch, FAL__SUBMIT_KEY="main")
        assert "fal.submit_key: there is none of the name 'main'" in message

    def test_googles_credentials_are_chosen_in_the_same_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        both = {"VERTEX__CREDENTIAL_FILES": '{"new": "/a.json", "old": "/b.json"}', "VERTEX__PROJECT": "x"}
        assert "vertex.submit_credential: is required" in refusal(monkeypatch, **both)
        settings = read(monkeypatch, **both, VERTEX__SUBMIT_CREDENTIAL="old")
        assert settings.vertex.credential_files == {"new": Path("/a.json"), "old": Path("/b.json")}

    def test_no_secret_is_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = read(
            monkeypatch,
            FAL__KEYS__MAIN=SECRET,
            MINIMAX__KEYS__MAIN=SECRET,
            OPENAI__STUDIO__BASE_URL="http://10.0.0.9/v1",
            OPENAI__STUDIO__KEYS__MAIN=SECRET,
            VERTEX__ACCESS_TOKEN=SECRET,
        )
        for shown in (repr(settings), str(settings), settings.model_dump_json()):
            assert SECRET not in shown

    @pytest.mark.parametrize(
        "variables",
        [
            {"FAL__KEYS__MAIN": SECRET, "FAL__SUBMIT_KEY": "other"},
            {"FAL__KEYS": f'{{"main": ["{SECRET}"]}}'},
            {"FAL__KEYS": f'["{SECRET}"]'},
            {"OPENAI__STUDIO__KEYS__MAIN": SECRET},
        ],
    )
    def test_no_secret_is_shown_by_a_refusal(self, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
        assert SECRET not in refusal(monkeypatch, **variables)
