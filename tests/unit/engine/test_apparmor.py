"""An AppArmor profile that was asked for is applied, or the container is refused: it is never passed over."""

from pathlib import Path

import pytest

from hakobu.engine.records import Records
from hakobu.engine.validate import NotSupported, check_spec, named_profile
from hakobu.kernel import apparmor
from hakobu.spec.container import Container, ContainerSpec, Security


class _Nowhere:
    async def save(self, container: Container) -> None: ...
    async def erase(self, container_id: str) -> None: ...


def test_a_kernel_says_whether_it_has_it(tmp_path: Path) -> None:
    enabled = tmp_path / "enabled"
    assert not apparmor.is_enabled(str(enabled))
    for said, expected in (("N\n", False), ("Y\n", True)):
        enabled.write_text(said)
        assert apparmor.is_enabled(str(enabled)) is expected


def test_a_profile_without_apparmor_is_refused_with_its_reason() -> None:
    spec = ContainerSpec(image="x", security=Security(apparmor_profile="strict"))
    if apparmor.is_enabled():
        check_spec(spec, Records(_Nowhere()))
        return
    with pytest.raises(NotSupported, match="apparmor=strict: this kernel has no AppArmor"):
        check_spec(spec, Records(_Nowhere()))


@pytest.mark.parametrize(("given", "applied"), [("", ""), ("unconfined", ""), ("strict", "strict")])
def test_what_is_applied(given: str, applied: str) -> None:
    security = Security(apparmor_profile=given)
    assert named_profile(security) == applied
    if not applied:
        check_spec(ContainerSpec(image="x", security=security), Records(_Nowhere()))
