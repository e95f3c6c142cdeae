"""What is remembered by its JSON is made once, and not for ever."""

from janani.record.remembered import Remembered


def test_what_follows_is_made_when_it_is_first_asked_for_and_kept_while_there_is_room() -> None:
    made: list[bytes] = []

    def follows(body: bytes) -> int:
        made.append(body)
        return len(body)

    known = Remembered(follows, most=2)
    assert [known[body] for body in (b"1", b"22", b"1", b"22")] == [1, 2, 1, 2]
    assert made == [b"1", b"22"]
    assert known[b"333"] == 3
    assert list(known) == [b"333"]
    assert known[b"1"] == 1
    assert made == [b"1", b"22", b"333", b"1"]


def test_what_fails_is_not_remembered() -> None:
    known = Remembered(lambda body: int(body), most=2)
    for _ in range(2):
        try:
            known[b"x"]
        except ValueError:
            continue
        raise AssertionError
    assert not known
