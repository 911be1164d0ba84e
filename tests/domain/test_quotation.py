"""What a customer said is kept out of what an operator reads, however a provider repeats it."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgate_server.domain.events import FailureCode, JobFailure
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.domain.quotation import (
    failure_without_quotations,
    fault_without_quotations,
    without_quotations,
)
from tests.domain.builders import a_spec

PROMPT = 'A café at dawn,\nthe owner says "good morning" and waves to a red kite far above the sea'
SPACED = 'A café at dawn, the owner says "good morning" and waves to a red kite far above the sea'
ASCII = r"A caf\u00e9 at dawn,\nthe owner says \"good morning\" and waves to a red kite far above the sea"
UNICODE = r"A café at dawn,\nthe owner says \"good morning\" and waves to a red kite far above the sea"


class TestWholeEchoes:
    @pytest.mark.parametrize(
        "echo", [PROMPT, SPACED, ASCII, UNICODE], ids=["exact", "in one line", "JSON in ASCII", "JSON in Unicode"]
    )
    def test_an_echo_is_struck_out_in_every_spelling(self, echo: str) -> None:
        text = without_quotations(f"bad input: <{echo}> is not allowed", PROMPT)
        assert text == "bad input: <[prompt]"

    def test_an_echo_at_the_very_start_leaves_nothing_else(self) -> None:
        assert without_quotations(f"{PROMPT} is not allowed", PROMPT) == "[prompt]"

    def test_a_text_that_is_the_prompt_is_struck_out_whole(self) -> None:
        assert without_quotations(PROMPT, PROMPT) == "[prompt]"

    def test_a_text_that_repeats_nothing_is_left_as_it_is(self) -> None:
        text = "422: the owner of this key may not use the model; say good morning to support"
        assert without_quotations(text, PROMPT) == text

    def test_an_empty_text_stays_empty(self) -> None:
        assert without_quotations("", PROMPT) == ""

    def test_what_follows_an_echo_goes_with_it(self) -> None:
        # It may be another one, cut or spelt as nobody can foresee.
        assert without_quotations(f"first: {PROMPT}; second: {PROMPT[:10]}", PROMPT) == "first: [prompt]"

    def test_the_first_of_several_echoes_counts_whatever_its_spelling(self) -> None:
        assert without_quotations(f"a: {UNICODE}, b: {PROMPT}", PROMPT) == "a: [prompt]"
        assert without_quotations(f"a: {PROMPT}, b: {ASCII}", PROMPT) == "a: [prompt]"


class TestPieces:
    @pytest.mark.parametrize("echo", [PROMPT[:60], SPACED[:40], ASCII[:50], UNICODE[:24]])
    def test_an_echo_that_was_cut_short_is_struck_out(self, echo: str) -> None:
        assert without_quotations(f"bad input: {echo}", PROMPT) == "bad input: [prompt]"
        assert without_quotations(f"bad input: {echo}... (truncated)", PROMPT) == "bad input: [prompt]"

    @pytest.mark.parametrize("start", range(len(PROMPT) - 23))
    def test_any_24_characters_are_a_piece(self, start: int) -> None:
        assert without_quotations(f"near:<{PROMPT[start : start + 24]}>", PROMPT) == "near:<[prompt]"

    def test_23_are_none(self) -> None:
        text = f"near {PROMPT[40:63]}, perhaps"
        assert without_quotations(text, PROMPT) == text

    def test_an_echo_of_the_end_alone_is_struck_out(self) -> None:
        assert without_quotations(f"...{SPACED[-30:]} (rejected)", PROMPT) == "...[prompt]"

    @given(st.text(min_size=1, max_size=200), st.text(max_size=40), st.integers(0, 200), st.integers(24, 200))
    def test_no_piece_of_a_prompt_is_left_wherever_it_stood(
        self, prompt: str, before: str, start: int, length: int
    ) -> None:
        echo = prompt[start : start + length]
        left = without_quotations(before + echo, prompt)
        said = prompt.strip()
        pieces = {said[place : place + 24] for place in range(max(1, len(said) - 23)) if len(said) >= 8}
        kept = left.removesuffix("[prompt]")
        assert [piece for piece in pieces if piece in kept] == []
        assert (before + echo).startswith(kept)


class TestShortPrompts:
    @pytest.mark.parametrize("prompt", ["a red kite", "the kite", 'a "kite"', "thé au lait", "two\nlines"])
    def test_a_short_prompt_counts_whole(self, prompt: str) -> None:
        for echo in (prompt, json.dumps(prompt)[1:-1], json.dumps(prompt, ensure_ascii=False)[1:-1]):
            assert without_quotations(f"500: <{echo}>", prompt) == "500: <[prompt]"

    @pytest.mark.parametrize("prompt", ["i", "kite", "a kite!", "   a    ", "too many"[:7]])
    def test_one_of_less_than_eight_characters_says_too_little_to_be_looked_for(self, prompt: str) -> None:
        text = f"429: too many requests for i, a kite and a kite! ({prompt})"
        assert without_quotations(text, prompt) == text

    def test_one_of_eight_characters_is_looked_for(self) -> None:
        assert without_quotations("429: too many requests", "too many") == "429: [prompt]"

    def test_a_part_of_a_short_prompt_is_nothing_of_its_own(self) -> None:
        text = "a red flag was raised by the safety system"
        assert without_quotations(text, "a red kite") == text

    def test_a_prompt_of_24_characters_counts_whole(self) -> None:
        prompt = "a red kite above the sea"
        assert len(prompt) == 24
        assert without_quotations(f"500: {prompt}", prompt) == "500: [prompt]"
        assert without_quotations(f"500: {prompt[:-1]}", prompt) == f"500: {prompt[:-1]}"

    @pytest.mark.parametrize("prompt", [" ", "   ", "\n", " \n\t", " " * 4000, "\u3000"])
    def test_a_prompt_of_spaces_hides_nothing_that_a_provider_says(self, prompt: str) -> None:
        text = "429: too many requests; try again later"
        assert without_quotations(text, prompt) == text

    def test_spaces_around_a_prompt_do_not_hide_its_echo(self) -> None:
        for said in ("red kite", "a red kite above the stormy sea"):
            for padding in ("\n", " " * 30):
                assert without_quotations(f"500: <{said}>", padding + said + padding) == "500: <[prompt]"


def test_the_work_grows_with_the_prompt_times_the_text_and_no_faster() -> None:
    searches: list[int] = []

    class Text(str):
        """Counts how often it is searched, and for how much."""

        __slots__ = ()

        def find(self, piece: str, *_bounds: object) -> int:
            searches.append(len(piece))
            return super().find(piece)

    prompt = "".join(chr(0x61 + number * 7 % 26) for number in range(4000))
    text = Text("the provider's own words. " * 20)
    assert without_quotations(text, prompt) == text
    # One search for each place of each spelling, all of them for short pieces.
    assert len(searches) <= 4 * 4000
    assert set(searches) == {24}


class TestFaults:
    def test_a_fault_keeps_all_but_the_quotation(self) -> None:
        fault = Fault(
            kind=FaultKind.REJECTED,
            is_maybe_accepted=True,
            retry_after=timedelta(seconds=3),
            detail=f"400: {PROMPT}",
        )
        assert fault_without_quotations(fault, a_spec(prompt=PROMPT)) == Fault(
            kind=FaultKind.REJECTED, is_maybe_accepted=True, retry_after=timedelta(seconds=3), detail="400: [prompt]"
        )

    @pytest.mark.parametrize(
        ("detail", "expected"),
        [
            ("400: no rain and no people here", "400: [prompt]"),
            ("400: negative_prompt 'no rain and no people', prompt 'a red kite'", "400: negative_prompt '[prompt]"),
            ("400: prompt 'a red kite', negative_prompt 'no rain and no people'", "400: prompt '[prompt]"),
            ("400: seed 12345678 is too large", "400: seed 12345678 is too large"),
        ],
    )
    def test_the_texts_among_the_extra_parameters_are_the_customers_too(self, detail: str, expected: str) -> None:
        spec = a_spec(prompt="a red kite", extra={"negative_prompt": "no rain and no people", "seed": 12345678})
        fault = Fault(kind=FaultKind.INVALID, detail=detail)
        assert fault_without_quotations(fault, spec) == Fault(kind=FaultKind.INVALID, detail=expected)

    def test_a_failure_keeps_all_but_its_faults_quotation(self) -> None:
        fault = Fault(kind=FaultKind.REJECTED, detail=f"400: {PROMPT}")
        failure = JobFailure(code=FailureCode.REJECTED, message="The provider refused.", fault=fault)
        assert failure_without_quotations(failure, a_spec(prompt=PROMPT)) == JobFailure(
            code=FailureCode.REJECTED,
            message="The provider refused.",
            fault=Fault(kind=FaultKind.REJECTED, detail="400: [prompt]"),
        )

    def test_a_failure_without_a_fault_is_left_as_it_is(self) -> None:
        failure = JobFailure(code=FailureCode.REJECTED, message="The provider refused.")
        assert failure_without_quotations(failure, a_spec(prompt=PROMPT)) == failure
