"""Which engine a machine gets, and podman's settings for it."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from localkube.engine import EngineName, choose_engine
from localkube.host_packages import missing_packages
from localkube.machine import CAP_SYS_RESOURCE, Machine, has_capability
from localkube.podman_settings import render_containers_conf, render_storage_conf
from localkube.reporting import ComponentError

DEBIAN_ROOT = Machine(
    docker_answers=False,
    is_root=True,
    has_apt=True,
    systemd_runs=True,
    may_raise_limits=True,
    open_files_limit=524288,
    processes_limit=-1,
)


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        pytest.param(replace(DEBIAN_ROOT, docker_answers=True), EngineName.DOCKER, id="docker is preferred"),
        pytest.param(DEBIAN_ROOT, EngineName.PODMAN, id="podman for root on Debian"),
        pytest.param(
            replace(DEBIAN_ROOT, docker_answers=True, is_root=False, has_apt=False),
            EngineName.DOCKER,
            id="docker needs neither root nor Debian",
        ),
    ],
)
def test_the_engine_follows_from_the_machine(machine: Machine, expected: EngineName) -> None:
    assert choose_engine(machine) is expected


@pytest.mark.parametrize("machine", [replace(DEBIAN_ROOT, is_root=False), replace(DEBIAN_ROOT, has_apt=False)])
def test_a_machine_without_any_engine_is_told_what_to_do(machine: Machine) -> None:
    with pytest.raises(ComponentError, match="start Docker or use sudo") as raised:
        choose_engine(machine)
    assert raised.value.component == "container engine"


def test_a_plain_debian_machine_keeps_podmans_own_limits_and_services() -> None:
    settings = tomllib.loads(render_containers_conf(DEBIAN_ROOT))
    assert "default_ulimits" not in settings["containers"]
    assert set(settings["engine"]) == {"runtime", "tmp_dir", "stop_timeout"}
    assert settings["network"] == {"network_backend": "netavark"}


def test_a_machine_that_may_not_raise_limits_asks_for_no_more_than_it_has() -> None:
    machine = replace(
        DEBIAN_ROOT, may_raise_limits=False, systemd_runs=False, open_files_limit=20000, processes_limit=90000
    )
    settings = tomllib.loads(render_containers_conf(machine))
    assert settings["containers"]["default_ulimits"] == ["nofile=20000:20000", "nproc=32768:32768"]
    assert settings["engine"]["cgroup_manager"] == "cgroupfs"
    assert settings["engine"]["events_logger"] == "file"


def test_unlimited_is_written_as_the_most_that_podman_can_give() -> None:
    machine = replace(DEBIAN_ROOT, may_raise_limits=False, open_files_limit=-1, processes_limit=-1)
    settings = tomllib.loads(render_containers_conf(machine))
    assert settings["containers"]["default_ulimits"] == ["nofile=1048576:1048576", "nproc=32768:32768"]


def test_images_are_stored_apart_from_the_users_own() -> None:
    storage = tomllib.loads(render_storage_conf(Path("/cache/storage")))["storage"]
    assert storage["graphroot"] == "/cache/storage"
    assert storage["runroot"].startswith("/run/labeltask")


def test_a_capability_is_read_from_the_effective_set() -> None:
    assert has_capability("CapPrm:\t0\nCapEff:\t000001ffffffffff\n", CAP_SYS_RESOURCE)
    assert not has_capability("CapPrm:\t000001ffffffffff\nCapEff:\t000001fffeffffff\n", CAP_SYS_RESOURCE)


def test_a_package_that_was_removed_counts_as_missing() -> None:
    listing = "podman installed\nrunc config-files\n"
    assert missing_packages(listing, ("podman", "runc", "debootstrap")) == ["runc", "debootstrap"]
