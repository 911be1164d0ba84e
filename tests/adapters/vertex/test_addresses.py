"""Where things are at Google."""

import pytest

from reelgate_server.adapters.providers.vertex.addresses import (
    is_folder,
    is_object,
    model_url,
    models_url,
    object_url,
)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        (
            "us-central1",
            "https://us-central1-aiplatform.googleapis.com/v1/projects/film/locations/us-central1/publishers/google/models",
        ),
        (
            "europe-west4",
            "https://europe-west4-aiplatform.googleapis.com/v1/projects/film/locations/europe-west4/publishers/google/models",
        ),
        ("global", "https://aiplatform.googleapis.com/v1/projects/film/locations/global/publishers/google/models"),
        ("us", "https://aiplatform.us.rep.googleapis.com/v1/projects/film/locations/us/publishers/google/models"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com/v1/projects/film/locations/eu/publishers/google/models"),
    ],
)
def test_each_location_has_its_own_host(location: str, url: str) -> None:
    assert models_url(None, "film", location) == url


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:9/google", "http://127.0.0.1:9/google/"])
def test_a_proxy_takes_the_place_of_the_host_alone(base_url: str) -> None:
    assert models_url(base_url, "film", "global") == (
        "http://127.0.0.1:9/google/v1/projects/film/locations/global/publishers/google/models"
    )


@pytest.mark.parametrize("project", ["film", "film-studio-4711", "123456789012", "example.com:film"])
def test_projects_have_ids_and_numbers(project: str) -> None:
    assert f"/projects/{project}/" in models_url(None, project, "global")


@pytest.mark.parametrize(
    ("project", "location"),
    [("", "global"), ("a/b", "global"), ("a b", "global"), ("film", ""), ("film", "evil.example/"), ("film", "US")],
)
def test_what_cannot_be_a_project_or_location_is_refused(project: str, location: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        models_url(None, project, location)


def test_a_model_stays_within_its_place() -> None:
    assert model_url("https://host/models", "veo-3.1-generate-001") == "https://host/models/veo-3.1-generate-001"
    assert model_url("https://host/models", "../x?y") == "https://host/models/..%2Fx%3Fy"


def test_the_name_of_an_object_is_one_segment() -> None:
    assert object_url("https://storage.googleapis.com", "gs://studio-results/veo/1/sample 0?.mp4") == (
        "https://storage.googleapis.com/storage/v1/b/studio-results/o/veo%2F1%2Fsample%200%3F.mp4?alt=media"
    )


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "gs://",
        "gs:///x",
        "gs://bucket",
        "gs://bucket/",
        "gs://b/x",
        "https://bucket/x",
        "gs://bu cket/x",
        "gs://../x",
    ],
)
def test_what_is_no_object_has_no_address(uri: str) -> None:
    assert not is_object(uri)
    with pytest.raises(ValueError, match="is not an object"):
        object_url("https://storage.googleapis.com", uri)


@pytest.mark.parametrize(
    ("uri", "is_one"),
    [
        ("gs://studio-results", True),
        ("gs://studio-results/", True),
        ("gs://studio-results/veo/2026", True),
        ("gs://", False),
        ("studio-results", False),
        ("s3://studio-results", False),
        ("gs://studio-results/a\tb", False),
    ],
)
def test_results_go_into_a_folder_of_a_bucket(uri: str, is_one: bool) -> None:  # noqa: FBT001 (a column)
    assert is_folder(uri) is is_one
