"""Chooses the table's entries: frequent words of both languages, dictionary words, back-off pieces.

`build(cache_corpus)` gives (entries, costs). Frequencies: wordfreq, raised by the counts in the training text.
"""
import collections, math, re
import wordfreq
from tokenizer import is_cjk, normalize, runs, Tokenizer

ENGLISH, TAILS, JAPANESE = 46_000, 7_000, 54_000


def english(texts):
    """Words by relative frequency, the larger of wordfreq's and the training text's (discounted)."""
    count = collections.Counter()
    for t in texts:
        for cjk, r in runs(normalize(t)):
            if not cjk and len(r) <= 24:
                count[r] += 1
    total = sum(count.values())
    freq: dict[str, float] = {}
    for w, f in wordfreq.get_frequency_dict("en", wordlist="large").items():
        for cjk, r in runs(normalize(w)):
            if not cjk and len(r) <= 24:
                freq[r] = max(freq.get(r, 0.0), f)
    # wordfreq writes every long number as zeros of its length; numbers come from the text and the list below
    freq = {w: f for w, f in freq.items() if not (w.isdigit() and len(w) > 1)}
    for w, n in count.items():
        if n >= 4 and not (w.isdigit() and len(w) > 4):
            freq[w] = max(freq.get(w, 0.0), 0.3 * (n - 3) / total)
    for n in list(range(0, 100)) + list(range(1900, 2031)):
        freq[str(n)] = max(freq.get(str(n), 0.0), 1e-6)
    return freq


def tails(freq, chosen):
    """Continuation pieces: what stays after the longest known prefix of a word outside the table."""
    weight = collections.Counter()
    known = set(chosen)
    for w, f in freq.items():
        if w in known:
            continue
        for j in range(len(w) - 1, 0, -1):
            if w[:j] in known:
                rest = w[j:]
                for k in range(1, len(rest) + 1):
                    weight[rest[:k]] += f ** 0.5 * (1.0 if k == len(rest) else 0.25) * k
                break
    return [t for t, _ in weight.most_common(TAILS)]


def japanese(texts, lexicon, names):
    """CJK entries by frequency: wordfreq, Sudachi words of the training text, dictionary forms found in it."""
    from sudachipy import dictionary, tokenizer as st
    tok = dictionary.Dictionary(dict="core").tokenizer()
    count = collections.Counter()
    whole = lambda w: w and all(is_cjk(ord(c)) for c in w)
    for t in texts:
        t = normalize(t)[:3000]
        for mode in (st.Tokenizer.SplitMode.A, st.Tokenizer.SplitMode.C):
            for m in tok.tokenize(t, mode):
                w = m.surface()
                if whole(w) and len(w) <= 10:
                    count[w] += 0.5
    total = sum(count.values())
    freq: dict[str, float] = {}
    for w, f in wordfreq.get_frequency_dict("ja", wordlist="large").items():
        n = normalize(w)
        if whole(n) and len(n) <= 10:
            freq[n] = max(freq.get(n, 0.0), f)
    for w, n in count.items():
        if n >= 2:
            freq[w] = max(freq.get(w, 0.0), 0.3 * (n - 1.5) / total)
    rank = collections.Counter()
    for form, _ in lexicon:
        w = normalize(form)
        if whole(w) and 2 <= len(w) <= 10 and not re.fullmatch(r"[\u3041-\u3096ー]+", w):
            rank[w] += 1
    for w in rank:
        katakana = bool(re.fullmatch(r"[\u30a1-\u30fcー]+", w))
        floor = 2.5e-8 if katakana and len(w) <= 8 else 1e-8 if len(w) <= 4 else 0.0
        if w not in freq and floor:
            # a compound counts through its rarest part: frequent parts make a likelier word
            parts = [freq.get(w[:i], 0) * freq.get(w[i:], 0) for i in range(1, len(w))]
            freq[w] = floor * (1.0 + min(1.0, 1e8 * max(parts, default=0)))
    return freq


def build(pairs, mono, lexicon, names):
    en = english([e for _, e, _ in pairs] + [t + " " + x for _, t, x in mono])
    ranked = sorted(en, key=lambda w: -en[w])
    chosen = ranked[:ENGLISH]
    letters = [chr(c) for c in (*range(97, 123), *range(48, 58), *range(0x3B1, 0x3CA))]
    chosen = list(dict.fromkeys(chosen + letters))
    tail = list(dict.fromkeys(tails(en, chosen) + letters))
    ja = japanese([j for _, _, j in pairs], lexicon, names)
    jisx = [c for c in (bytes([a, b]).decode("euc_jp", "ignore") for a in range(0xB0, 0xF5) for b in range(0xA1, 0xFF)) if len(c) == 1 and is_cjk(ord(c))]
    kana = [chr(c) for c in range(0x3041, 0x30FD) if is_cjk(ord(chr(c)))]
    singles = list(dict.fromkeys(kana + jisx + ["々", "〇"]))
    best = sorted((w for w in ja if len(w) > 1), key=lambda w: -ja[w])[: JAPANESE - len(singles)]
    cjk = singles + best
    cost = {}
    for w in cjk:
        # a single kanji or kana that is no word of its own costs more than any word
        f = ja.get(w, 0.0)
        cost[w] = min(390, round(16 * -math.log(max(f, 3e-10 if len(w) == 1 else 5e-9))))
    entries = chosen + ["##" + t for t in tail] + cjk
    return entries, [cost.get(e, 0) for e in entries], {**{w: en[w] for w in chosen if w in en}, **{w: ja.get(w, 1e-9) for w in cjk}}


if __name__ == "__main__":
    import pickle, sys
    p, m, l, n = pickle.load(open(sys.argv[1], "rb"))
    entries, costs, freq = build(p, m, l, n)
    pickle.dump((entries, costs, freq), open(sys.argv[2], "wb"))
    t = Tokenizer(entries, costs)
    print(len(entries), sum(len(e.encode()) + 1 for e in entries))
    for x in ["The phosphorylation of Kubernetes-based getattr() IL-2 don't", "機械学習は人工知能の一分野であり、データから学ぶアルゴリズムを研究する。", "引数が指定されなかった場合は例外を送出します", "東京都渋谷区でラーメンを食べました。", "ﾊﾝｶｸ Ｆｕｌｌ①"]:
        print([entries[i] for i in t.tokenize(x)])
