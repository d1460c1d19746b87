"""What is in ``docs/deploy`` fits the gateway: the recipe of the image, its configuration, the manifest for pods."""

import re
import tomllib
from collections.abc import Mapping
from configparser import ConfigParser
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import pytest
import trio
import trio.testing
import yaml
from glottis import ConfigurationError
from glottis.config import Config, load_config, resolve
from support.http import initiate, request
from support.installed import installed_plugins
from support.memory import open_memory_exchange

ROOT: Final = Path(__file__).parents[1]
DEPLOY: Final = ROOT / "docs" / "deploy"
KEY: Final = "GLOTTIS_AUTH__SETTINGS__PLAIN_KEYS__WEBSITE"
ENVIRONMENT: Final = {KEY: "a key of sixteen or more"}


def instructions() -> list[tuple[str, str]]:
    """Of the Containerfile, lines that are continued as one."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Containerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\s*\\\n\s*", " ", text).splitlines()
    return [(name, rest) for line in lines if line for name, _, rest in [line.partition(" ")]]


def of(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


def loaded(path: Path, environment: Mapping[str, str] = ENVIRONMENT) -> Config:
    config = load_config(path, environment)
    resolve(config, installed_plugins())
    return config


# The image


def test_what_is_copied_into_the_image_exists() -> None:
    sources = [words.split()[:-1] for words in of("COPY") if not words.startswith("--from=build")]
    assert [source for names in sources for source in names if not (ROOT / source).exists()] == []
    members = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]["members"]
    assert {folder.partition("/")[0] for folder in members} <= {name for names in sources for name in names}


def test_every_distribution_is_installed_in_the_image() -> None:
    """But for the lab, which brings libraries for numbers and pictures."""
    [install] = re.findall(r"pip install --no-cache-dir --no-build-isolation ([^&]+)", " ".join(of("RUN")))
    folders = {path.resolve() for pattern in install.split() for path in ROOT.glob(pattern.rstrip("/") + "/")}
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]["members"]
    members = {path.parent for pattern in patterns for path in ROOT.glob(f"{pattern}/pyproject.toml")}
    assert {path for path in folders if path.name != "__pycache__"} == members - {ROOT / "core" / "kits" / "lab"}


def test_the_image_has_the_packages_that_glottis_needs() -> None:
    """To be built those that a checkout needs, too; and of these the libraries to run."""
    build, run = [
        re.findall(r"install -y --no-install-recommends ([^&]+)", rest)[0].split()
        for rest in of("RUN")
        if "apt-get" in rest
    ]
    found = re.search(
        r'^run\) wanted="([^"]+)"', (ROOT / "tools" / "install-system-packages").read_text(), re.MULTILINE
    )
    assert found
    assert set(found[1].split()) <= set(build)
    libraries = [
        name.removesuffix("-dev") for name in found[1].split() if name.startswith("lib") and name != "libc6-dev"
    ]
    assert [library for library in libraries if not any(name.startswith(library) for name in run)] == []
    assert not [name for name in run if name.endswith("-dev") or name == "gcc"]


def test_the_image_serves_as_its_configuration_says() -> None:
    config = loaded(DEPLOY / "glottis.toml")
    assert of("EXPOSE") == [f"{config.server.port}/tcp {config.media.udp_port}/udp"]
    assert of("USER") == ["10001"]
    assert of("STOPSIGNAL") == ["SIGTERM"]
    scripts = tomllib.loads((ROOT / "core" / "pyproject.toml").read_text())["project"]["scripts"]
    assert [Path(command).name for command in re.findall(r'"([^"]+)"', of("ENTRYPOINT")[0])] == list(scripts)
    *_, path = re.findall(r'"([^"]+)"', of("CMD")[0])
    assert f"docs/deploy/glottis.toml {path}" in of("COPY")
    assert f"http://127.0.0.1:{config.server.port}/readyz" in of("HEALTHCHECK")[0]


def test_the_image_does_not_start_without_a_key_of_its_own(tmp_path: Path) -> None:
    for environment in ({}, {KEY: manifest("Secret")["stringData"][KEY]}):
        with pytest.raises(ConfigurationError, match=r"auth\.settings"):
            resolve(load_config(DEPLOY / "glottis.toml", environment), installed_plugins())


# Kubernetes


DOCUMENTS: Final = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))


def manifest(kind: str, name: str = "") -> Any:
    [found] = [one for one in DOCUMENTS if one["kind"] == kind and name in ("", one["metadata"]["name"])]
    return found


POD: Final = manifest("StatefulSet")["spec"]["template"]["spec"]
CONTAINER: Final = POD["containers"][0]
VARIABLES: Final = {
    one["name"]: one["value"].replace("$(POD_NAME)", "glottis-1").replace("$(HOST_IP)", "203.0.113.7")
    for one in CONTAINER["env"]
    if "value" in one
}


@pytest.fixture(name="config_path")
def write_config(tmp_path: Path) -> Path:
    path = tmp_path / "glottis.toml"
    path.write_text(manifest("ConfigMap")["data"]["glottis.toml"])
    return path


def test_ports_of_the_pod_are_those_of_its_configuration(config_path: Path) -> None:
    config = loaded(config_path, ENVIRONMENT | VARIABLES)
    assert config.media.advertised_addresses == ("203.0.113.7",)
    ports = {port["name"]: port for port in CONTAINER["ports"]}
    assert ports["http"]["containerPort"] == config.server.port
    assert ports["media"] == {
        "name": "media",
        "containerPort": config.media.udp_port,
        "hostPort": config.media.udp_port,
        "protocol": "UDP",
    }
    assert config.server.workers == 1, "each worker would need a port of its own"
    assert of("USER") == [str(POD["securityContext"]["runAsUser"])]
    assert CONTAINER["volumeMounts"][0]["mountPath"] == str(Path(of("COPY")[-1].split()[-1]).parent)


def test_a_pod_has_time_for_its_calls(config_path: Path) -> None:
    waits = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]
    assert waits[0] == "sleep"
    stopping = 10
    """Seconds that a gateway may take after its grace; see docs/operations.md, Shutdown."""
    least = float(waits[1]) + loaded(config_path).server.shutdown_grace + stopping
    assert POD["terminationGracePeriodSeconds"] >= least


def test_services_lead_to_pods_and_keep_to_one_that_drains() -> None:
    labels = manifest("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    names = [f"glottis-{number}" for number in range(manifest("StatefulSet")["spec"]["replicas"])]
    for name in names:
        service = manifest("Service", name)["spec"]
        assert service["selector"] == {**labels, "statefulset.kubernetes.io/pod-name": name}
        assert service["publishNotReadyAddresses"], "its calls go on"
    assert "publishNotReadyAddresses" not in manifest("Service", "glottis")["spec"]
    backends = {
        rule["host"]: rule["http"]["paths"][0]["backend"]["service"]["name"]
        for rule in manifest("Ingress")["spec"]["rules"]
    }
    assert backends == {"voice.example.org": "glottis"} | {f"{name}.voice.example.org": name for name in names}
    assert manifest("StatefulSet")["spec"]["serviceName"] == manifest("Service", "glottis-pods")["metadata"]["name"]


async def test_a_gateway_answers_probes_and_tells_clients_the_pod(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    text: str = manifest("ConfigMap")["data"]["glottis.toml"]
    public_url = VARIABLES["GLOTTIS_SERVER__PUBLIC_URL"]
    text = text.replace("port = 8080", f'port = 0\npublic_url = "{public_url}"', 1)
    text = text.replace('scheme = "api-keys"', 'scheme = "anonymous"').replace('addresses = ["eth0"]\n', "")
    async with open_memory_exchange(tmp_path, text) as exchange:
        connect = exchange.network.connect
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            path = CONTAINER[probe]["httpGet"]["path"]
            assert (await request(exchange.gateway, "GET", path, connect=connect)).status == 200
        created = await initiate(exchange.gateway, connect=connect)
        assert created.document["websocketUrl"].startswith("wss://glottis-1.voice.example.org/")
        exchange.gateway.sessions.drain()
        path = CONTAINER["readinessProbe"]["httpGet"]["path"]
        assert (await request(exchange.gateway, "GET", path, connect=connect)).status == 503


def test_gateway_is_announced_on_the_network_with_one_port() -> None:
    group = ElementTree.parse(DEPLOY / "glottis.avahi.service").getroot()
    services = {service.findtext("type"): service.findtext("port") for service in group.iter("service")}
    assert services == {"_https._tcp": "8443", "_glottis._tcp": "8443"}
    assert "port = 8443" in (ROOT / "docs" / "device.md").read_text()


def test_unit_of_a_device_waits_longer_for_the_end_than_calls_may_take() -> None:
    unit = ConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",))
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # as systemd has them
    unit.read(DEPLOY / "glottis.service")
    service = unit["Service"]
    assert (service["Type"], service["Restart"], service["ProtectSystem"]) == ("notify", "always", "strict")
    assert float(service["TimeoutStopSec"]) > Config().server.shutdown_grace + 5
