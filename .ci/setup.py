"""Makes the project's virtual environment: what `make setup` runs, on a developer's machine and in CI.

With uv where it is to be had (on PATH, else as a package of the new environment), with pip otherwise. uv reads none of
pip's configuration, so what pip is told (find-links, indexes, constraints, certificates, a proxy) is handed on to it.
A machine without an NVIDIA GPU takes a CPU build of torch, half the download, wherever one is to be had.

Runs before anything is installed: the standard library only.
"""

import argparse
import ast
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = "constraints.txt"
PROJECT = ".[dev]"
UNFINISHED = ".unfinished"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("venv", type=Path, nargs="?", default=ROOT / ".venv")
    parser.add_argument("--installer", choices=("uv", "pip"), default="uv", help="pip: do not even look for uv")
    options = parser.parse_args()
    try:
        set_up(options.venv.absolute(), options.installer)
    except subprocess.CalledProcessError as error:
        return error.returncode
    except KeyboardInterrupt:
        return 130
    return 0


def set_up(venv: Path, installer: str) -> None:
    python = make_venv(venv)
    told = pip_settings(python)
    uv = find_uv(python) if installer == "uv" else None
    why = install_with_uv(uv, python, told) if uv else None
    if why is None:
        say("Installing with pip, which takes minutes …")
        install_with_pip(python, PROJECT)
        why = f"{gpu_here()}, and pip takes what its find-links and indexes have"
    (venv / UNFINISHED).unlink()
    say(f"{describe_torch(python)}: {why}.")


def make_venv(venv: Path) -> Path:
    """Python of the environment, which is made anew if a set-up was interrupted in it.

    A package of which a killed installer wrote half has its metadata already, and would count as installed.
    """
    python = venv / "bin" / "python"
    if (venv / UNFINISHED).exists():
        say(f"{venv} was left unfinished; it is made anew.")
        if venv.is_symlink():
            raise SystemExit(f"{venv} is a link; remove what it leads to yourself, then run this again.")
        shutil.rmtree(venv)
    venv.mkdir(parents=True, exist_ok=True)
    (venv / UNFINISHED).touch()
    if not works([python, "-m", "pip", "--version"]):
        run([sys.executable, "-m", "venv", venv])
    return python


def pip_settings(python: Path) -> dict[str, str]:
    """Options of `pip install` from pip's files and PIP_ variables, by pip's own order of precedence."""
    listed = output([python, "-m", "pip", "config", "list"])
    return read_pip_settings(listed)


def read_pip_settings(listed: str) -> dict[str, str]:
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        section, _, option = key.rpartition(".")
        if section in found and ast.literal_eval(value):
            found[section][option] = ast.literal_eval(value)
    return found["global"] | found["install"] | found[":env:"]


def uv_variables(told: Mapping[str, str]) -> dict[str, str]:
    """The same as uv's variables: on a command line others could read the passwords of indexes."""
    variables = {
        "UV_DEFAULT_INDEX": told.get("index-url"),
        "UV_INDEX": " ".join(told.get("extra-index-url", "").split()),
        # pip takes the best version of all indexes; uv would look no further than the first that knows a package.
        "UV_INDEX_STRATEGY": "unsafe-best-match" if "extra-index-url" in told else None,
        "UV_FIND_LINKS": ",".join(told.get("find-links", "").split()),
        "UV_INSECURE_HOST": " ".join(told.get("trusted-host", "").split()),
        "UV_HTTP_TIMEOUT": told.get("timeout") or told.get("default-timeout"),
        "SSL_CERT_FILE": told.get("cert"),
        "ALL_PROXY": told.get("proxy"),
    }
    return {name: value for name, value in variables.items() if value}


def uv_options(told: Mapping[str, str]) -> list[str]:
    options = ["-c", CONSTRAINTS]
    for file in told.get("constraint", "").split():
        options += ["-c", file]
    if told.get("no-index", "").lower() in {"1", "true", "yes", "on"}:
        options.append("--no-index")
    return options


def find_uv(python: Path) -> Path | None:
    """A uv that works and knows --torch-backend: the one on PATH, else one installed into the environment."""
    own = python.with_name("uv")
    for uv in filter(None, (shutil.which("uv"), own)):
        if "--torch-backend" in output([uv, "pip", "install", "--help"]):
            return Path(uv)
    say("No uv on PATH that can be used; pip installs one into the environment …")
    try:
        install_with_pip(python, "uv")
    except subprocess.CalledProcessError:
        say("uv is not to be had here.")
        return None
    return own


@dataclass(frozen=True)
class TorchSource:
    options: tuple[str, ...]
    why: str


def install_with_uv(uv: Path, python: Path, told: Mapping[str, str]) -> str | None:
    """Why this build of torch was taken; nothing if uv failed."""
    environment = uv_variables(told) | os.environ  # what uv itself was told holds
    install = [uv, "pip", "install", "--quiet", "--python", python, *uv_options(told)]
    for source in torch_sources(install, environment):
        say("Installing with uv …")
        if works([*install, *source.options, "--editable", PROJECT], environment, shown=True):
            return source.why
    say("uv failed, as told above.")
    return None


def torch_sources(install: Sequence[str | Path], environment: Mapping[str, str]) -> Iterator[TorchSource]:
    """Where torch comes from, by asking uv what it would take, without a download; the best first."""
    if "UV_TORCH_BACKEND" in environment:
        yield TorchSource((), "as UV_TORCH_BACKEND asks")
    elif is_cpu_build(torch_version(install, environment)) != has_nvidia_gpu():
        yield TorchSource((), f"{gpu_here()}, and pip's find-links or indexes have this build")
    else:
        backend = "--torch-backend=auto"
        # An index that is not reached is asked again for a quarter of a minute otherwise.
        if torch_version([*install, backend], {"UV_HTTP_RETRIES": "1"} | environment):
            yield TorchSource((backend,), f"{gpu_here()}, and uv's {backend} found this build")
        yield TorchSource((), f"{gpu_here()}, but neither pip's find-links and indexes nor uv's {backend} had another")


def torch_version(install: Sequence[str | Path], environment: Mapping[str, str]) -> str:
    asked = [part for part in install if part != "--quiet"]
    plan = output([*asked, "--dry-run", "--no-deps", "--reinstall", "torch"], environment)
    found = re.search(r"^ [+~] torch==(\S+)", plan, re.MULTILINE)
    return found[1] if found else ""


def is_cpu_build(version: str) -> bool:
    return version.endswith("+cpu")


def install_with_pip(python: Path, package: str) -> None:
    target = ["--editable", package] if package == PROJECT else [package]
    run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", CONSTRAINTS, *target])


def has_nvidia_gpu() -> bool:
    return "GPU" in output(["nvidia-smi", "--list-gpus"])


def gpu_here() -> str:
    return f"{'an' if has_nvidia_gpu() else 'no'} NVIDIA GPU here"


def describe_torch(python: Path) -> str:
    """Read without importing torch, which takes seconds."""
    find = "import importlib.util as u; print(*u.find_spec('torch').submodule_search_locations)"
    version = runpy.run_path(str(Path(output([python, "-c", find]).strip()) / "version.py"))
    built_for = next((f"{kind} {version[kind]}" for kind in ("cuda", "hip", "xpu") if version.get(kind)), "the CPU")
    return f"torch {version['__version__']}, built for {built_for.replace('cuda', 'CUDA')}"


def run(command: Sequence[str | Path]) -> None:
    subprocess.run(command, check=True, cwd=ROOT)


def works(command: Sequence[str | Path], environment: Mapping[str, str] | None = None, *, shown: bool = False) -> bool:
    stream = None if shown else subprocess.DEVNULL
    try:
        return not subprocess.run(command, env=environment, cwd=ROOT, stdout=stream, stderr=stream).returncode
    except OSError:
        return False


def output(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> str:
    """What a command prints, on both streams; nothing if it fails."""
    try:
        done = subprocess.run(command, env=environment, cwd=ROOT, stdout=-1, stderr=-2, text=True)
    except OSError:
        return ""
    return "" if done.returncode else done.stdout


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
