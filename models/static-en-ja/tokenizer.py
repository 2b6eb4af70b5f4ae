"""The tokeniser of the static embedding model; src/nlp/embed/ holds its twin in TypeScript.

Contract: `tokenize(text)` gives row numbers of the table. Text is NFKC-normalised and lower-cased,
then read left to right in runs:
  word run  (Latin letters, Greek letters, ASCII digits): the whole word when the table has it, else greedy
            longest match: first piece from the words, later pieces from the `##` continuations;
  CJK run   (kana, kanji): cheapest path (Viterbi) over the CJK entries, each of which has a cost in 1/16 nat;
everything else separates. A character that no entry covers gives no token. Runs longer than the limits
below are cut there, so that the work stays linear in the length of the text.
"""
import unicodedata

MAX_WORD = 64     # UTF-16 units of a word run
MAX_RUN = 256     # UTF-16 units of a CJK run
MAX_PIECE = 24    # longest word entry tried as a prefix
MAX_CJK = 10      # longest CJK entry
UNKNOWN_COST = 400


def is_word(c: int) -> bool:
    if c < 128:
        return 97 <= c <= 122 or 48 <= c <= 57
    return (0xDF <= c <= 0x24F and c != 0xF7) or 0x3B1 <= c <= 0x3C9


def is_cjk(c: int) -> bool:
    return (0x4E00 <= c <= 0x9FFF or 0x3041 <= c <= 0x3096 or 0x30A1 <= c <= 0x30FA or c == 0x30FC
            or 0x3005 <= c <= 0x3007 or 0x3400 <= c <= 0x4DBF or 0xF900 <= c <= 0xFAFF)


def normalize(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def runs(text: str):
    """(is_cjk, run) pairs of normalised text."""
    i, n = 0, len(text)
    while i < n:
        c = ord(text[i])
        if is_word(c):
            j = i + 1
            while j < n and j - i < MAX_WORD and is_word(ord(text[j])):
                j += 1
            yield False, text[i:j]
        elif is_cjk(c):
            j = i + 1
            while j < n and j - i < MAX_RUN and is_cjk(ord(text[j])):
                j += 1
            yield True, text[i:j]
        else:
            j = i + 1
        i = j


class Tokenizer:
    def __init__(self, entries: list[str], costs: list[int]):
        """entries: table order; `##x` is a continuation. costs: 1/16 nat, used for CJK entries only."""
        self.entries = entries
        self.words = {e: i for i, e in enumerate(entries) if not e.startswith("##") and not is_cjk(ord(e[0]))}
        self.tails = {e[2:]: i for i, e in enumerate(entries) if e.startswith("##")}
        self.cjk = {e: (i, costs[i]) for i, e in enumerate(entries) if is_cjk(ord(e[0]))}
        self.memo: dict[str, list[int]] = {}

    def tokenize(self, text: str) -> list[int]:
        out: list[int] = []
        memo = self.memo
        for cjk, run in runs(normalize(text)):
            ids = memo.get(run)
            if ids is None:
                ids = self.cut_cjk(run) if cjk else self.cut_word(run)
                if len(memo) < 3_000_000:
                    memo[run] = ids
            out += ids
        return out

    def cut_word(self, word: str) -> list[int]:
        whole = self.words.get(word)
        if whole is not None:
            return [whole]
        out, i, n = [], 0, len(word)
        while i < n:
            table = self.words if i == 0 else self.tails
            for j in range(min(n, i + MAX_PIECE), i, -1):
                hit = table.get(word[i:j])
                if hit is not None:
                    out.append(hit)
                    i = j
                    break
            else:
                i += 1
        return out

    def cut_cjk(self, run: str) -> list[int]:
        n, get = len(run), self.cjk.get
        best = [0] + [1 << 30] * n
        back = [(0, -1)] * (n + 1)
        for i in range(n):
            b = best[i]
            if b + UNKNOWN_COST < best[i + 1]:
                best[i + 1], back[i + 1] = b + UNKNOWN_COST, (i, -1)
            for j in range(i + 1, min(n, i + MAX_CJK) + 1):
                hit = get(run[i:j])
                if hit is not None and b + hit[1] < best[j]:
                    best[j], back[j] = b + hit[1], (i, hit[0])
        out, i = [], n
        while i:
            i, token = back[i]
            if token >= 0:
                out.append(token)
        return out[::-1]
