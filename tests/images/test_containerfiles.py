"""One definition an image: the builder reads the Containerfile, and the files beside it are complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from imagebuild import containerfile, names, runsteps
from imagebuild.containerfile import ContainerfileError, copy_of, parse
from imagebuild.recipes import RECIPES
from imagebuild.settings import Settings

IMAGES = names(Settings.default())
EXPECTED = {
    "airflow": ("50000:0", "3.3.2"),
    "git-server": ("65532:65532", "dev"),
    "git-sync-standin": ("65533:65533", "dev"),
    "operator": ("65532:65532", "dev"),
    "postgresql": ("999:999", "15"),
    "prometheus": ("65534:65534", "v3.15.0"),
    "redis": ("999:999", "7.0"),
    "statsd-exporter": ("65534:65534", "v0.30.0"),
    "toolbox": ("65532:65532", "dev"),
}


def definition(name: str) -> containerfile.Containerfile:
    return containerfile.read(Settings.default().images / name / "Containerfile")


def test_the_images_of_the_platform_are_all_there() -> None:
    assert sorted(EXPECTED) == IMAGES


@pytest.mark.parametrize("name", IMAGES)
def test_user_and_version_are_the_published_ones_and_never_root(name: str) -> None:
    config = definition(name).config()
    user, version = EXPECTED[name]
    assert config.user == user
    assert config.labels["org.opencontainers.image.version"] == version
    assert config.labels["org.opencontainers.image.title"] == name
    assert int(config.user.split(":")[0]) > 0


def has_accounts(name: str) -> bool:
    """All but those with nothing but one program in them."""
    return definition(name).final.base != containerfile.SCRATCH


@pytest.mark.parametrize("name", [name for name in IMAGES if has_accounts(name)])
def test_the_numeric_user_has_a_name_in_the_image(name: str) -> None:
    file = definition(name)
    steps = [runsteps.read(item) for item in file.final.instructions if item.keyword == "RUN"]
    users = {f"{user.uid}:{user.gid}" for step in steps for user in step.users}
    assert file.config().user in users


@pytest.mark.parametrize("name", IMAGES)
def test_every_copied_file_exists_or_comes_from_a_recipe(name: str) -> None:
    file, project = definition(name), Settings.default().project
    copies = [copy_of(item) for item in file.final.instructions if item.keyword == "COPY"]
    for copy in copies:
        for source in copy.sources:
            assert (name, f"{copy.stage}:{source}") in RECIPES if copy.stage else (project / source).exists()


@pytest.mark.parametrize("name", IMAGES)
def test_no_recipe_is_left_without_its_copy(name: str) -> None:
    copies = [copy_of(item) for item in definition(name).final.instructions if item.keyword == "COPY"]
    wanted = {f"{copy.stage}:{source}" for copy in copies if copy.stage for source in copy.sources}
    assert {place for image, place in RECIPES if image == name} == wanted


@pytest.mark.parametrize("name", IMAGES)
def test_the_earlier_stages_use_the_same_files_as_the_recipes(name: str) -> None:
    """What a recipe reads is what the RUN instructions in its place copy."""
    needed = {
        "airflow": {"images/airflow/requirements.lock", "images/wheel-requirements.txt", "dags"},
        "operator": {
            "requirements.lock",
            "operator/pyproject.toml",
            "operator",
            "devcluster/go/helm",
            "images/wheel-requirements.txt",
        },
        "git-sync-standin": {"images/git-sync-standin/src"},
        "prometheus": {"devcluster/go/prometheus"},
        "statsd-exporter": {"devcluster/go/statsd-exporter"},
    }.get(name, set())
    stages = definition(name).stages[:-1]
    found = {
        source
        for stage in stages
        for item in stage.instructions
        if item.keyword == "COPY"
        for source in copy_of(item).sources
    }
    assert found == needed
    assert all((Settings.default().project / source).exists() for source in found)


@pytest.mark.parametrize("name", IMAGES)
def test_the_readme_shows_the_image_as_it_is(name: str) -> None:
    readme = (Settings.default().images / "README.md").read_text()
    config = definition(name).config()
    row = next(line for line in readme.splitlines() if line.startswith(f"| `{name}:"))
    shown = [cell.strip().replace("`", "") for cell in row.strip("|").split("|")]
    assert shown[0] == f"{name}:{config.labels['org.opencontainers.image.version']}"
    assert shown[2] == config.user
    assert shown[3].split() == [port.removesuffix("/tcp") for port in config.ports]
    assert shown[4].split() == list(config.volumes)


def pins(path: Path) -> dict[str, str]:
    found = {}
    for line in path.read_text().splitlines():
        name, sign, version = line.partition("==")
        assert sign, line
        found[re.sub(r"[-_.]+", "-", name).lower()] = version
    return found


def test_airflows_lock_pins_every_requirement_and_names_no_host() -> None:
    folder = Settings.default().images / "airflow"
    locked = pins(folder / "requirements.lock")
    for line in (folder / "requirements.in").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition("==")
            key = re.sub(r"\[.*\]", "", name).lower()
            assert key in locked
            assert not version or locked[key] == version
    assert "://" not in (folder / "requirements.lock").read_text()


def test_airflow_stays_on_the_celery_that_its_provider_can_import() -> None:
    assert pins(Settings.default().images / "airflow" / "requirements.lock")["celery"] == "5.6.3"


def test_the_tag_of_the_exporter_is_the_version_that_is_built() -> None:
    modules = (Settings.default().project / "devcluster/go/statsd-exporter/go.mod").read_text()
    found = re.search(r"github.com/prometheus/statsd_exporter (v\S+)", modules)
    assert found
    assert definition("statsd-exporter").config().labels["org.opencontainers.image.version"] == found.group(1)


@pytest.mark.parametrize(
    "line",
    [
        "ADD a /a",
        "RUN curl x",
        "HEALTHCHECK NONE",
        "ENTRYPOINT run me",
        "USER ${WHO}x",
        "RUN <<EOF",
        "COPY --link a /a",
    ],
)
def test_what_the_builder_does_not_do_is_an_error_and_never_ignored(line: str) -> None:
    with pytest.raises(ContainerfileError):
        read_all(f"FROM scratch\n{line}\n")


def read_all(text: str) -> None:
    file = parse(text, Path("Containerfile"))
    for item in file.final.instructions:
        if item.keyword == "RUN":
            runsteps.read(item)
        elif item.keyword == "COPY":
            copy_of(item)
    file.config()


def test_a_run_of_the_final_stage_is_read_word_by_word() -> None:
    text = """FROM scratch
RUN apt-get update \\
 && apt-get install -y --no-install-recommends a b \\
 # a comment between
 && rm -rf /var/lib/apt/lists/* && rm -rf /x
RUN echo 'u:x:7:8:u:/home/u:/bin/sh' >> /etc/passwd && install -d -o 7 -g 8 -m 1777 /home/u /data
"""
    first, second = (runsteps.read(item) for item in parse(text, Path("C")).final.instructions)
    assert first.packages == ("a", "b")
    assert "/x" in first.removed
    assert second.users == (runsteps.User("u", 7, 8, "/home/u", "/bin/sh"),)
    assert second.folders[1] == runsteps.Folder("/data", 0o1777, 7, 8)
