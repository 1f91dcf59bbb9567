"""Keys and places of the cache: what changes a key, and where entries go."""

from pathlib import Path

from localkube.cache import cache_directory, content_key, file_contents


def test_the_cache_is_where_the_environment_says() -> None:
    assert cache_directory({"LABELTASK_CACHE": "/big/disk", "HOME": "/home/me"}) == Path("/big/disk")
    assert cache_directory({"XDG_CACHE_HOME": "/home/me/.c", "HOME": "/home/me"}) == Path("/home/me/.c/labeltask")
    assert cache_directory({"HOME": "/home/me"}) == Path("/home/me/.cache/labeltask")


def test_a_key_depends_on_names_contents_and_their_borders() -> None:
    key = content_key([("a", b"1"), ("b", b"2")])
    assert content_key([("a", b"1"), ("b", b"2")]) == key
    different = [[("a", b"1"), ("b", b"3")], [("a", b"1"), ("c", b"2")], [("a", b"1b"), ("", b"2")], [("a", b"1")]]
    assert all(content_key(parts) != key for parts in different)


def test_file_contents_are_sorted_and_leave_out_what_python_compiles(tmp_path: Path) -> None:
    package = tmp_path / "package"
    (package / "__pycache__").mkdir(parents=True)
    (package / "__pycache__" / "b.pyc").write_bytes(b"compiled")
    (package / "b.py").write_bytes(b"b")
    (package / "a.py").write_bytes(b"a")
    (tmp_path / "single").write_bytes(b"s")
    assert file_contents([tmp_path / "single", package], tmp_path) == [
        ("package/a.py", b"a"),
        ("package/b.py", b"b"),
        ("single", b"s"),
    ]
