"""The compatibility page says what the code does: it is up to date, and its refusals refuse."""

import ast
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.unit.engine.sample import Table

from hakobu.api import compatibility, parameter, query
from hakobu.api.decode import decode
from hakobu.api.table import ROUTES
from hakobu.api.translate.container import container_spec
from hakobu.api.translate.network import network_spec
from hakobu.engine.records import Records
from hakobu.engine.validate import check_spec
from hakobu.errors import HakobuError
from hakobu.wire.container import ContainerCreate
from hakobu.wire.operation import OPERATIONS
from hakobu.wire.version import ANNOUNCED

VALUES: dict[str, Any] = {
    "HostConfig.Cgroup": "container:x",
    "HostConfig.Isolation": "process",
    "OnBuild": ["RUN x"],
}


def create(field: str) -> list[str]:
    *path, name = field.split(".")
    value = {name: VALUES.get(field, 7)}
    body = {"Image": "x", **({path[0]: value} if path else value)}
    return container_spec(decode(json.dumps(body).encode(), ContainerCreate), ANNOUNCED)[1]


@pytest.mark.parametrize("field", compatibility.REFUSED)
def test_what_the_page_calls_refused_is_refused(field):
    with pytest.raises(HakobuError) as caught:
        create(field)
    assert field.rpartition(".")[2].lower() in (caught.value.message + str(getattr(caught.value, "field", ""))).lower()


@pytest.mark.parametrize("field", compatibility.UNAVAILABLE)
def test_what_the_page_calls_unavailable_is_refused_by_the_engine(field):
    path, _, name = field.partition(".")
    body = {"Image": "x", path: {name: {"size": "1G"}}}
    spec, _ = container_spec(decode(json.dumps(body).encode(), ContainerCreate), ANNOUNCED)
    with pytest.raises(HakobuError, match=f"{name}.*{compatibility.UNAVAILABLE[field]}"):
        check_spec(spec, Records(Table()))


@pytest.mark.parametrize("field", compatibility.WARNED)
def test_what_the_page_calls_warned_is_warned_about(field):
    assert create(field)


def test_every_field_named_is_a_field():
    named = {**compatibility.REFUSED, **compatibility.WARNED, **compatibility.WITHOUT_EFFECT}
    assert set(named) <= set(compatibility.create_fields())


@pytest.mark.parametrize(("of", "field"), [k for k, v in compatibility.OTHERWISE.items() if v.startswith("refused")])
def test_what_the_page_calls_refused_of_other_requests_is_refused(of, field):
    if of == "Mount":
        with pytest.raises(HakobuError, match="cluster"):
            container_spec({"HostConfig": {"Mounts": [{"Type": "cluster", "Target": "/x", field: {}}]}}, ANNOUNCED)
    elif of == "NetworkCreate":
        value: Any = {"Scope": "swarm", "ConfigFrom": {"Network": "x"}}.get(field, True)
        with pytest.raises(HakobuError, match=r"Scope|Ingress|ConfigOnly"):
            network_spec({"Name": "x", field: value})  # type: ignore[misc]


def test_every_parameter_called_honoured_is_read_where_its_operation_is_served():
    operations = {name: (method, template) for method, template, name in OPERATIONS}
    modules = {(route.method, route.template): route.handler.__module__ for route in ROUTES}
    for operation, names in parameter.PARAMETERS.items():
        module = sys.modules[modules[operations[operation]]]
        borrowed = {getattr(value, "__module__", "") or "" for value in vars(module).values()}
        served_by = {module.__name__, query.__name__, *(m for m in borrowed if m.startswith("hakobu.api.handlers."))}
        source = "".join(inspect.getsource(sys.modules[name]) for name in served_by)
        read = {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
        honoured = {name for name in names if parameter.treatment(operation, name) == "honoured"}
        assert honoured <= read, (operation, honoured - read)


def test_what_is_named_otherwise_exists():
    assert set(compatibility.OTHERWISE) <= set(compatibility.other_fields())
    assert set(parameter.PARAMETERS) <= {name for _, _, name in OPERATIONS}
    assert "unknown" not in compatibility.page()


def test_the_page_is_up_to_date():
    path = Path(__file__).parents[3] / "docs" / "compatibility.md"
    assert path.read_text() == compatibility.page(), "run: python -m hakobu.api.compatibility > docs/compatibility.md"
