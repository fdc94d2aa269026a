from pathlib import Path

import pytest

from acronis_pipeline.errors import SettingsError
from acronis_pipeline.settings import load_settings, write_profile


@pytest.fixture(autouse=True)
def _away_from_any_env_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_defaults_need_nothing_set(tmp_path):
    settings = load_settings()
    assert settings.data_dir == tmp_path / "data"
    assert settings.store_uri == str(tmp_path / "data" / "lancedb")
    assert settings.tracking_uri == f"sqlite:///{tmp_path / 'data' / 'mlflow.db'}"


def test_environment_wins_over_the_profile_of_the_data_folder(tmp_path, monkeypatch):
    write_profile(load_settings(), {"site": {"url": "https://profile.example/", "max_pages": 7}})
    monkeypatch.setenv("ACRONIS_PIPELINE_SITE__MAX_PAGES", "9")
    site = load_settings().site
    assert (site.url, site.max_pages) == ("https://profile.example/", 9)


def test_arguments_win_over_the_environment(monkeypatch):
    monkeypatch.setenv("ACRONIS_PIPELINE_SITE__URL", "https://environment.example/")
    assert load_settings(site={"url": "https://argument.example/"}).site.url == "https://argument.example/"


def test_profile_belongs_to_its_folder_only(tmp_path):
    write_profile(load_settings(tmp_path / "one"), {"site": {"url": "https://one.example/"}})
    assert load_settings(tmp_path / "two").site.url != "https://one.example/"


@pytest.mark.parametrize("url", ["acronis", "ftp://host/", "https://", "/docs"])
def test_site_that_is_no_web_address_is_refused_with_the_variable_to_set(url):
    with pytest.raises(SettingsError, match=r"site\.url.*ACRONIS_PIPELINE_SITE__URL"):
        load_settings(site={"url": url})


def test_unknown_setting_is_refused_by_name():
    with pytest.raises(SettingsError, match=r"site\.urll"):
        load_settings(site={"urll": "https://a.example/"})


def test_profile_that_is_no_mapping_is_refused_by_file(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pipeline.yaml").write_text("- a\n- b\n")
    with pytest.raises(SettingsError, match=r"pipeline\.yaml"):
        load_settings()


def test_keys_never_show_in_the_settings_text():
    assert "s3cret" not in repr(load_settings(llm={"api_key": "s3cret"}))


def test_profile_is_replaced_in_one_step(tmp_path):
    settings = load_settings()
    write_profile(settings, {"site": {"max_pages": 1}})
    write_profile(settings, {"site": {"max_pages": 2}})
    assert load_settings().site.max_pages == 2
    assert [file.name for file in Path(settings.data_dir).iterdir()] == ["pipeline.yaml"]
