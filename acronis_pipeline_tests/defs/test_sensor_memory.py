"""What is remembered between ticks: small, forgiving, and enough not to ask for the same thing twice."""

from hypothesis import example, given
from hypothesis import strategies as st

from acronis_pipeline.defs.sensor_memory import MAX_TOKENS, Memory

NOW = 1_800_000_000.0
DAY_S = 24 * 3600.0


def differences(n: int, seen: str = "HTTP 500") -> dict[str, str]:
    return {f"https://h.example/docs/{number}": seen for number in range(n)}


def left_by_a_run(memory: Memory, asked: dict[str, str], left: dict[str, str]) -> Memory:
    """A successful run was asked to take in some differences, and some still show."""
    return memory.with_request(asked).with_finished_run(left, NOW, succeeded=True)


@given(st.text())
def test_anything_can_be_a_cursor(cursor):
    assert isinstance(Memory.parse(cursor), Memory)


@given(st.integers(1, 3 * MAX_TOKENS), st.integers(0, 40))
def test_a_cursor_is_small_and_reads_back(n, looks):
    memory = left_by_a_run(Memory(position="0123abcd", reported="sitemap-" + "f" * 40), differences(n), differences(n))
    memory = memory.with_request(differences(n, "gone"))
    for _ in range(looks):
        memory = memory.with_silence(NOW, 300)
    assert len(memory.dump()) < 12_000
    assert Memory.parse(memory.dump()) == memory


@given(st.integers(1, 3 * MAX_TOKENS))
@example(MAX_TOKENS)
def test_what_a_run_left_is_settled_until_it_differs(n):
    memory = left_by_a_run(Memory(), differences(n), differences(n))
    assert memory.unsettled(differences(n)) == {}
    assert memory.unsettled(differences(n, "HTTP 502")) == differences(n, "HTTP 502")


def test_the_rest_of_what_a_run_took_in_is_settled_too():
    memory = left_by_a_run(Memory(), differences(3), differences(1))
    assert memory.unsettled(differences(1)) == {}


def test_what_a_failed_run_left_is_not_settled():
    memory = Memory().with_request(differences(3)).with_finished_run(differences(3), NOW, succeeded=False)
    assert memory.unsettled(differences(3)) == differences(3)


def test_what_a_run_took_in_may_come_back():
    """A → B → A → B: the second B is news again."""
    memory = left_by_a_run(Memory(), differences(1, "lastmod B"), {})
    memory = left_by_a_run(memory, differences(1, "lastmod A"), {})
    assert memory.unsettled(differences(1, "lastmod B")) == differences(1, "lastmod B")


def test_settled_differences_are_due_again_after_a_day():
    memory = left_by_a_run(Memory(), differences(2), differences(2))
    assert memory.with_answer("", NOW + DAY_S - 1).unsettled(differences(2)) == {}
    assert memory.with_answer("", NOW + DAY_S + 1).unsettled(differences(2)) == differences(2)


def test_pauses_double_up_to_six_hours_and_end_with_an_answer():
    memory, pauses = Memory(), []
    for _ in range(9):
        memory = memory.with_silence(NOW, 300)
        assert memory.outage
        pauses.append(memory.outage.next_at - NOW)
    assert pauses == [300, 600, 1200, 2400, 4800, 9600, 19200, 21600, 21600]
    assert "(9 looks)" in str(memory.outage)
    assert memory.with_answer("", NOW).outage is None
