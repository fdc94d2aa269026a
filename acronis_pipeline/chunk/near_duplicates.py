"""Near-duplicate passages and pages: editions of one page, repeated notices, text that stands on many pages.

MinHash (Broder 1997) with locality-sensitive hashing proposes pairs, the exact Jaccard similarity decides, and what is
similar is joined transitively. Nothing depends on the order of the passages.
"""

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import cast

import numpy as np

from acronis_pipeline.core.text import normal_form

# Scripts written without spaces have no words to a regular expression, so each character counts as one.
_UNSPACED = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_SHINGLE_WORDS = 3
_SHORT_WORDS = 16
_PERMUTATIONS = 128
_SHARED_SHARE = 0.5
_COMMONPLACE = 200
"""A passage on more different pages than this is the site's own boilerplate and says nothing of two pages."""


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
    alike = (pair for pair in _candidates(sets, threshold) if _jaccard(sets[pair[0]], sets[pair[1]]) >= threshold)
    return {
        chunk_id: members[sets[group[0]]][0]
        for group in _components(len(sets), alike)
        for index in group
        for chunk_id in members[sets[index]]
    }


def page_clusters(cluster_of_chunks: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Group of every page: pages that are near-duplicates of one another share one, named by its smallest address.

    Two pages are near-duplicates if they share at least half of the chunk clusters of the smaller one; groups are
    transitive.

    Parameters
    ----------
    cluster_of_chunks
        Page and cluster of every chunk.
    """
    pages: dict[str, set[str]] = defaultdict(set)
    for url, cluster in cluster_of_chunks:
        pages[url].add(cluster)
    # Pages of the very same passages are one from here on: a thousand copies of a stub are no million pairs.
    copies: dict[frozenset[str], list[str]] = defaultdict(list)
    for url in sorted(pages):
        copies[frozenset(pages[url])].append(url)
    sets = list(copies)  # in the order of their smallest addresses
    standing_on: dict[str, list[int]] = defaultdict(list)
    for number, found in enumerate(sets):
        for cluster in found:
            standing_on[cluster].append(number)
    telling = [numbers for numbers in standing_on.values() if 1 < len(numbers) <= _COMMONPLACE]
    shared = Counter(pair for numbers in telling for pair in combinations(numbers, 2))
    alike = (
        (left, right)
        for (left, right), count in shared.items()
        if count >= _SHARED_SHARE * min(len(sets[left]), len(sets[right]))
    )
    return {
        url: copies[sets[group[0]]][0]
        for group in _components(len(sets), alike)
        for number in group
        for url in copies[sets[number]]
    }


def shingles(text: str, passage: str) -> frozenset[int]:
    """Hashes of the word 3-shingles of a text, or of its passage if the text is short; one hash below three words."""
    words = _WORD.findall(normal_form(text).casefold())
    if len(words) < _SHORT_WORDS:
        words = _WORD.findall(normal_form(passage).casefold())
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


def _components(n: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The items 0 to n - 1 in groups that pairs join transitively; each group, and the groups, in ascending order."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = np.array(list(pairs), np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), shape=(n, n))
    _, labels = connected_components(graph, directed=False)
    groups: dict[int, list[int]] = {}
    for item, label in enumerate(labels.tolist()):
        groups.setdefault(label, []).append(item)
    return list(groups.values())
