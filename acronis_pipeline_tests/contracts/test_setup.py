"""The set-up of a clone, against an installer that answers without a network."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

import acronis_pipeline
from acronis_pipeline_tests.needs import needs

SCRIPT = Path(acronis_pipeline.__file__).parent.parent / ".ci" / "setup.py"


@pytest.fixture(scope="module")
def setup():
    spec = importlib.util.spec_from_file_location("project_setup", SCRIPT)
    assert spec
    assert spec.loader
    module = sys.modules["project_setup"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["project_setup"]


@pytest.fixture
@needs("server")
def programs(tmp_path, monkeypatch):
    """Puts a shell script on PATH; without one there is neither uv nor a GPU."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("UV_TORCH_BACKEND", raising=False)

    def put(name: str, body: str) -> Path:
        file = tmp_path / name
        file.write_text(f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)
        return file

    put("nvidia-smi", "exit 9")
    return put


def uv_that_takes(programs, *, plain: str, backend: str) -> Path:
    return programs("uv", f'case "$*" in *--torch-backend*) {backend} ;; *) {plain} ;; esac')


def takes(version: str) -> str:
    return f"echo ' + torch=={version}'"


def first_source(setup, uv: Path):
    return next(iter(setup.torch_sources([uv, "pip", "install"], dict(os.environ))))


def test_pip_settings_follow_the_order_of_pip(setup):
    listed = ":env:.find-links='/env'\nglobal.find-links='/global'\ninstall.index-url='a'\nglobal.index-url='b'\n"
    listed += "global.extra-index-url='one\\n  two=2'\ndownload.cert='/other'\nglobal.proxy=''\n"
    assert setup.read_pip_settings(listed) == {
        "find-links": "/env",
        "index-url": "a",
        "extra-index-url": "one\n  two=2",
    }


def test_what_pip_is_told_is_told_to_uv(setup):
    told = {"find-links": "/one /two", "extra-index-url": "a\nb", "cert": "/ca.pem", "default-timeout": "180"}
    assert setup.uv_variables(told) == {
        "UV_FIND_LINKS": "/one,/two",
        "UV_INDEX": "a b",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_HTTP_TIMEOUT": "180",
        "SSL_CERT_FILE": "/ca.pem",
    }
    assert setup.uv_options({"constraint": "/a.txt /b.txt", "no-index": "true"}) == [
        *("-c", "constraints.txt", "-c", "/a.txt", "-c", "/b.txt"),
        "--no-index",
    ]


def test_without_a_gpu_a_cpu_build_of_pips_sources_is_taken_as_it_is(setup, programs):
    uv = uv_that_takes(programs, plain=takes("2.13.0+cpu"), backend="exit 2")
    assert first_source(setup, uv).options == ()


def test_without_a_gpu_uvs_backend_is_asked_where_pips_sources_have_no_cpu_build(setup, programs):
    uv = uv_that_takes(programs, plain=takes("2.13.0"), backend=takes("2.13.0+cpu"))
    assert first_source(setup, uv).options == ("--torch-backend=auto",)


def test_what_there_is_is_taken_and_said_where_no_cpu_build_can_be_had(setup, programs):
    uv = uv_that_takes(programs, plain=takes("2.13.0"), backend="exit 2")
    source = first_source(setup, uv)
    assert source.options == ()
    assert "no NVIDIA GPU here, but neither" in source.why


def test_with_a_gpu_the_indexs_own_build_is_taken(setup, programs):
    programs("nvidia-smi", "echo 'GPU 0: some'")
    uv = uv_that_takes(programs, plain=takes("2.13.0"), backend=takes("2.13.0+cu130"))
    assert first_source(setup, uv).options == ()


def test_a_backend_whose_files_do_not_come_is_followed_by_what_there_is(setup, programs):
    answers = f"""case "$*" in
    *--torch-backend*--dry-run*) {takes("2.13.0+cpu")} ;;
    *--dry-run*) {takes("2.13.0")} ;;
    *--torch-backend*) exit 1 ;;
    esac"""
    uv = programs("uv", answers)
    assert "but neither" in setup.install_with_uv(uv, Path("python"), {})


def test_uv_that_does_not_know_backends_is_not_used(setup, programs, tmp_path):
    programs("uv", "echo --find-links")
    python = programs("python", "exit 1")
    assert setup.find_uv(python) is None


@pytest.mark.server
def test_environment_that_was_left_unfinished_is_made_anew(setup, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(setup, "run", made.append)  # an environment takes four seconds to make
    half = tmp_path / "venv" / "lib" / "half-written"
    half.mkdir(parents=True)
    (tmp_path / "venv" / ".unfinished").touch()
    python = setup.make_venv(tmp_path / "venv")
    assert not half.exists()
    assert made == [[sys.executable, "-m", "venv", python.parent.parent]]
    assert (tmp_path / "venv" / ".unfinished").exists()


def test_linked_environment_is_never_emptied(setup, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / ".unfinished").touch()
    (tmp_path / "venv").symlink_to(theirs)
    with pytest.raises(SystemExit, match="is a link"):
        setup.make_venv(tmp_path / "venv")
    assert (theirs / ".unfinished").exists()
