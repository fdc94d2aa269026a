import re
from pathlib import Path

import pytest

from acronis_pipeline.core.errors import SettingsError
from acronis_pipeline.core.settings import load_settings, write_profile


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


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"pairs": {"styles": {"quesion": 1}}},
            r"pairs\.styles\.quesion: .*'question'.*\(set ACRONIS_PIPELINE_PAIRS__STYLES,",
        ),
        ({"chunk": {"overlap_tokens": 200}}, r"chunk: .*quarter.* \(set ACRONIS_PIPELINE_CHUNK__OVERLAP_TOKENS or "),
        (
            {"llm": {"base_url": "localhost:11434"}},
            r"'localhost:11434': .*http://.*\(set ACRONIS_PIPELINE_LLM__BASE_URL,",
        ),
        ({"pairs": {"generator": "llm"}, "llm": {"model": ""}}, "generator=llm .* set ACRONIS_PIPELINE_LLM__MODEL$"),
        ({"pairs": {"judge": "llm"}}, "judge=llm .* set ACRONIS_PIPELINE_LLM__MODEL$"),
    ],
)
def test_a_refused_setting_names_a_variable_that_mends_it(given, told):
    with pytest.raises(SettingsError, match=told):
        load_settings(**given)


def test_an_address_with_a_password_is_refused_without_showing_it():
    with pytest.raises(SettingsError, match="base_url") as raised:
        load_settings(llm={"base_url": "me:s3cret@host/v1"})
    assert "s3cret" not in str(raised.value)


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


@pytest.mark.parametrize("place", ["environment", ".env"])
@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("SITE__INCLUDE", "csi", """'["csi"]'"""),
        ("LLM__PERSONAS", "admin, user", """'["admin", "user"]'"""),
        ("PAIRS__STYLES", "question", """'{"question": 2.0, "how-to": 1.0}'"""),
        ("LLM__STYLES", '{"question": 2', """'{"question": 0.35, "how-to": 0.2}'"""),
        ("site__include", "[csi]", """'["csi"]'"""),
    ],
)
def test_list_that_is_no_json_is_refused_in_one_line_with_what_it_held_and_how_to_write_it(
    tmp_path, monkeypatch, place, name, value, remedy
):
    if place == ".env":
        (tmp_path / ".env").write_text(f"ACRONIS_PIPELINE_{name}='{value}'\n")
    else:
        monkeypatch.setenv(f"ACRONIS_PIPELINE_{name}", value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    message = str(refused.value)
    assert message.startswith(f"ACRONIS_PIPELINE_{name.upper()}={value!r}")
    assert remedy in message
    assert (" in .env " in message) == (place == ".env")
    assert "\n" not in message


def test_group_that_is_no_json_is_refused_without_showing_the_key_it_may_hold(monkeypatch):
    monkeypatch.setenv("ACRONIS_PIPELINE_LLM", '{"api_key": "s3cret"')
    with pytest.raises(SettingsError, match="ACRONIS_PIPELINE_LLM is not") as refused:
        load_settings()
    assert "s3cret" not in str(refused.value)


def test_values_that_are_json_or_need_not_be_are_read(monkeypatch):
    monkeypatch.setenv("ACRONIS_PIPELINE_SITE__INCLUDE", '["csi"]')
    monkeypatch.setenv("ACRONIS_PIPELINE_SITE__CONTACT", "[me]")
    monkeypatch.setenv("ACRONIS_PIPELINE_PAIRS__STYLES__QUESTION", "3")
    settings = load_settings()
    assert (settings.site.include, settings.site.contact) == (("csi",), "[me]")
    assert settings.pairs.styles["question"] == 3


@pytest.mark.parametrize(
    ("setting", "value"),
    [("recrawl_cron", "every night"), ("recrawl_cron", "0 99 * * *"), ("recrawl_timezone", "Mars/Phobos")],
)
def test_schedule_that_cannot_fire_is_refused_with_the_setting_named(monkeypatch, setting, value):
    variable = f"ACRONIS_PIPELINE_AUTOMATION__{setting.upper()}"
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=rf"automation\.{setting} = '{re.escape(value)}'.*{variable}"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [("languages", ["english"], "write it as `en`"), ("content_selector", "[[", "is no CSS selector")],
)
def test_site_settings_that_cannot_be_meant_are_refused_before_anything_is_asked(name, value, remedy):
    with pytest.raises(SettingsError, match=rf"site\.{name} = .*{remedy}"):
        load_settings(site={name: value})


@pytest.mark.parametrize("tag", ["en", "pt-BR", "zh_Hans_CN", "haw"])
def test_language_codes_are_taken_as_they_are_written(tag):
    assert load_settings(site={"languages": [tag]}).site.languages == (tag,)
