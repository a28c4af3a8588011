from tests.child import in_child

from hakobu.kernel import keyring


def test_a_container_gets_a_session_keyring_of_its_own() -> None:
    def body() -> list[object]:
        serial = keyring.join_session_keyring("_ses.test")
        keyring.set_permissions(serial, keyring.permissions(serial) | keyring.KEY_USR_ALL)
        return [serial == keyring.session_keyring(), keyring.describe(serial)]

    same, described = in_child(body)
    assert same
    assert described.startswith("keyring;0;0;") and described.endswith(";_ses.test")
    assert described.split(";")[3] == "3f3f0000"
