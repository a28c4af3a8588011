"""`docker login`: whether a registry takes the credentials, and the identity token that stands for them afterwards."""

from hakobu.registry.credentials import Credentials
from hakobu.registry.endpoint import RegistrySettings
from hakobu.registry.session import Session, with_endpoints


async def log_in(domain: str, credentials: Credentials, settings: RegistrySettings) -> str:
    """Raises `Unauthorized`. The identity token, empty where the registry gives none and the password stays."""

    async def work(session: Session) -> str:
        await session.login()
        return session.identity_token

    return await with_endpoints(domain, (), credentials, settings, work, for_push=True)
