"""What is the same to the index, and that nothing that stands in a text is lost by it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circle.archive.search.asking import Asked, read_query
from circle.archive.search.folding import drift, fold, pairs, title_keys
from circle.kernel.errors import CircleError

_WRITTEN = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=2, max_size=60)


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("學習寫作", "学习写作"),
        ("ＡＢＣ１２３", "abc123"),
        ("ﾃｽﾄ", "テスト"),
        ("Café", "CAFE"),
        ("ﬁnal", "final"),
        ("頭髮與發現", "头发与发现"),
        ("⼀⽇", "一日"),
        ("soft\u00adhyphen", "softhyphen"),
    ],
)
def test_both_ways_of_writing_are_one(written: str, typed: str) -> None:
    assert fold(written) == fold(typed)


@given(_WRITTEN, st.data())
def test_what_stands_in_a_text_stands_in_the_folded_text(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start, len(text)))

    assert fold(text[start:end]) in fold(text)
    assert pairs(fold(text[start:end])) <= pairs(fold(text))


@given(_WRITTEN)
def test_drift_bounds_where_a_character_goes(text: str) -> None:
    gained, lost = drift(text, fold(text))

    for at in range(len(text)):
        moved = len(fold(text[:at]))
        assert moved - gained <= at <= moved + lost


@given(_WRITTEN)
def test_folding_again_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_no_two_pairs_share_a_key_and_titles_have_their_own() -> None:
    every = pairs("".join(chr(0x4E00 + n) for n in range(5000)))

    assert len(every) == 4999
    assert len(title_keys(every)) == 4999
    assert not title_keys(every) & every


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("写作 方法", ["写作", "方法"]),
        ("写作，方法", ["写作", "方法"]),
        ("写作 写作", ["写作"]),
        ("“每天 一百字” 写作", ["每天 一百字", "写作"]),
        ('"每天写"', ["每天写"]),
        ("C++ .NET node.js utf-8", ["c++", "net", "node.js", "utf-8"]),
        ("#写作 @林晓", ["写作", "林晓"]),
        ("a AND b* NOT (c|d)", ["a", "and", "b", "not", "c", "d"]),
        ("坚持……到底", ["坚持", "到底"]),
        ('半个"引号', ["半个", "引号"]),
        ("😀😀", ["😀😀"]),
        ("%' OR 1=1--", ["or", "1"]),
    ],
)
def test_a_query_is_words_and_phrases(query: str, terms: list[str]) -> None:
    asked = read_query(query)

    assert {term.key for term in asked.terms} == set(terms)


@pytest.mark.parametrize("query", ["，。！", "()", "* * *", '""', "- - -", "\u200b\u200b"])
def test_a_query_of_nothing_but_punctuation_is_refused(query: str) -> None:
    with pytest.raises(CircleError) as refused:
        read_query(query)

    assert refused.value.errors[0].code == "nothing_to_search"  # type: ignore[attr-defined]


def test_a_tail_of_a_query_may_be_a_word_too() -> None:
    words = Asked(read_query("发展中国家").terms).words

    assert "'发展'" in words
    assert "'国家'" in words
    assert "'发展中国家'" in words
