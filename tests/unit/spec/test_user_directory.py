from hakobu.spec.user_directory import config_directory, data_directory, runtime_directory


def test_the_xdg_variables_decide() -> None:
    env = {"HOME": "/h", "XDG_DATA_HOME": "/d/", "XDG_CONFIG_HOME": "/c", "XDG_RUNTIME_DIR": "/r"}
    assert data_directory(env) == "/d/hakobu"
    assert config_directory(env) == "/c/hakobu"
    assert runtime_directory(env, 7, lambda _: False) == "/r/hakobu"


def test_a_relative_path_is_ignored() -> None:
    assert data_directory({"HOME": "/h", "XDG_DATA_HOME": "d"}) == "/h/.local/share/hakobu"


def test_without_a_login_the_sockets_lie_in_a_private_place() -> None:
    assert runtime_directory({"HOME": "/h"}, 7, lambda _: True) == "/run/user/7/hakobu"
    assert runtime_directory({"HOME": "/h"}, 7, lambda _: False) == "/h/.local/share/hakobu/run"
