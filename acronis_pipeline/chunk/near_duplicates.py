"""Near-duplicate passages and pages: editions of one page, repeated notices, text that stands on many pages.

MinHash (Broder 1997) with locality-sensitive hashing proposes pairs, the exact Jaccard similarity decides, and what is
similar is joined transitively. Nothing depends on the order of the passages.
"""

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Generic, TypeVar, cast

import pyarrow as pa

# Scripts written without spaces have no words to a regular expression, so each character counts as one.
_UNSPACED = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_SHINGLE_WORDS = 3
_SHORT_WORDS = 16
_PERMUTATIONS = 128
_SHARED_SHARE = 0.5
_COMMONPLACE = 200
"""A passage on more different pages than this is the site's own boilerplate and says nothing of two pages."""

Item = TypeVar("Item", bound=Hashable)


def clusters(passages: Mapping[str, tuple[str, str]], threshold: float) -> dict[str, str]:
    """Cluster of every passage.

    Parameters
    ----------
    passages
        (text, passage) by chunk id. A text of fewer than 16 words ("Yes.") means nothing without its headings, so the
        passage, title and headings included, is compared in its place.
    threshold
        Jaccard similarity of word 3-shingles from which two passages are near-duplicates.

    Returns
    -------
    dict[str, str]
        The smallest chunk id of its near-duplicates, itself included, by chunk id.
    """
    members: dict[frozenset[int], list[str]] = defaultdict(list)
    for chunk_id in sorted(passages):
        members[shingles(*passages[chunk_id])].append(chunk_id)
    sets = sorted(members, key=lambda shingled: members[shingled][0])
    groups = _Groups(range(len(sets)))
    for left, right in _candidates(sets, threshold):
        if groups.root(left) != groups.root(right) and _jaccard(sets[left], sets[right]) >= threshold:
            groups.join(left, right)
    smallest: dict[int, str] = {}
    for index, shingled in enumerate(sets):
        root = groups.root(index)
        smallest[root] = min(smallest.get(root, members[shingled][0]), members[shingled][0])
    return {chunk_id: smallest[groups.root(i)] for i, shingled in enumerate(sets) for chunk_id in members[shingled]}


def page_clusters(chunks: pa.Table) -> dict[str, str]:
    """Group of every page: pages that are near-duplicates of one another share one, named by its smallest address.

    Two pages are near-duplicates if they share at least half of the chunk clusters of the smaller one; groups are
    transitive.

    Parameters
    ----------
    chunks
        Rows of the chunks table; `url` and `cluster_id` are read.
    """
    pages: dict[str, set[str]] = defaultdict(set)
    for url, cluster in zip(chunks.column("url").to_pylist(), chunks.column("cluster_id").to_pylist(), strict=True):
        pages[url].add(cluster)
    # Pages of the very same passages are one from here on: a thousand copies of a stub are no million pairs.
    copies: dict[frozenset[str], list[str]] = defaultdict(list)
    for url in sorted(pages):
        copies[frozenset(pages[url])].append(url)
    standing_on: dict[str, list[str]] = defaultdict(list)
    for found, urls in copies.items():
        for cluster in found:
            standing_on[cluster].append(urls[0])
    telling = [urls for urls in standing_on.values() if 1 < len(urls) <= _COMMONPLACE]
    shared = Counter(pair for urls in telling for pair in combinations(sorted(urls), 2))
    groups = _Groups(pages)
    for urls in copies.values():
        for url in urls[1:]:
            groups.join(urls[0], url)
    for (left, right), count in shared.items():
        if count >= _SHARED_SHARE * min(len(pages[left]), len(pages[right])):
            groups.join(left, right)
    smallest: dict[str, str] = {}
    for url in sorted(pages):
        smallest.setdefault(groups.root(url), url)
    return {url: smallest[groups.root(url)] for url in pages}


def shingles(text: str, passage: str) -> frozenset[int]:
    """Hashes of the word 3-shingles of a text, or of its passage if the text is short; one hash below three words."""
    words = _WORD.findall(text.casefold())
    if len(words) < _SHORT_WORDS:
        words = _WORD.findall(passage.casefold())
    # crc32 and not hash(): what LSH finds must not depend on the process.
    return frozenset(
        zlib.crc32(" ".join(words[start : start + _SHINGLE_WORDS]).encode("utf-8", "surrogatepass"))
        for start in range(max(1, len(words) - _SHINGLE_WORDS + 1))
    )


def _candidates(sets: Sequence[frozenset[int]], threshold: float) -> Iterable[tuple[int, int]]:
    """Pairs (smaller index first) that may be similar enough."""
    from datasketch import MinHash, MinHashLSH

    if len(sets) < 2 or threshold >= 1:  # identical sets are one set already
        return
    # Every candidate is verified, so missing a pair costs more than proposing one too many.
    index = MinHashLSH(threshold=threshold, num_perm=_PERMUTATIONS, weights=(0.1, 0.9))
    signatures = MinHash.generator(sets, num_perm=_PERMUTATIONS, hashfunc=int)
    for number, signature in enumerate(signatures):
        for other in index.query(signature):
            yield cast(int, other), number
        index.insert(number, signature, check_duplication=False)


def _jaccard(left: frozenset[int], right: frozenset[int]) -> float:
    shared = len(left & right)
    return shared / (len(left) + len(right) - shared)


class _Groups(Generic[Item]):
    """Disjoint sets (union-find with path halving)."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._parent = {item: item for item in items}

    def root(self, item: Item) -> Item:
        parent = self._parent
        while parent[item] != item:
            parent[item] = item = parent[parent[item]]
        return item

    def join(self, left: Item, right: Item) -> None:
        self._parent[self.root(right)] = self.root(left)
