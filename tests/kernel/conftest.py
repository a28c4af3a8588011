"""The kernel tier: root, the real kernel, and nothing left behind."""

from tests.leaks import isolated_session, no_leaks

__all__ = ["isolated_session", "no_leaks"]
