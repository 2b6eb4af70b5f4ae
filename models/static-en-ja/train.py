"""Trains the token table: initial rows from the teacher's word vectors, then mean-of-tokens to the teacher's
text vectors (cosine) and contrastive batches (translations, title -> text, word -> definition, sentence -> rest).

Needs the cache of corpus.py, vocabulary.py, teacher.py. Plain numpy; deterministic for a given seed and cache.
"""
import argparse, glob, os, pickle, re, time
import numpy as np
import scipy.sparse as sp
from tokenizer import Tokenizer, is_cjk
import teacher
from model_file import write
from glossing import Glosser

DIMS = 256
SHARDS = 44    # teacher shards of 2,048 texts that the shipped model saw
EPOCHS = 6     # of 400 steps


# Frames that turn a statement into a question: their words must not steer the vector.
FRAMES = {
    "ja": "は何ですか|とは何か|は何か|は誰ですか|のは誰か|は誰|はいつですか|のはいつか|はいつ|はどこですか|のはどこか|はどこで行われたか|の名前は何ですか|は何という名前か|"
          "を何と言いますか|は何と呼ばれていますか|はどれくらいですか|は何年ですか|は何年に|は何人ですか|は何歳の時ですか|はどのような人物ですか|はどんなものですか|はなぜですか|なぜ|"
          "のはどうしてですか|はどのようにして行われましたか|について教えてください|の方法を教えて|のはどの国ですか|どの|どちらですか|するにはどうすればいいですか|ことはできますか|"
          "でしょうか|ましたか|だったか|何が原因ですか|いくつありますか|作品名は何|人物名は|何番目".split("|"),
    "en": "what is|what was|what are|what is the name of|what does mean|who is|who was|who did|when did|when was|when is|where is|where did|where was|which|which of the following|"
          "how many|how much|how long|how do i|how can i|how does work|how did|why does|why did|why is|can you tell me about|is it possible to|does|did|was there|in what year did|"
          "what kind of|what type of|please explain|i want to know|is there a way to".split("|"),
}


def shards(cache, name, most=None):
    files = sorted(f for f in glob.glob(f"{cache}/{name}-*.npy") if "part" not in f)[:most]
    return np.concatenate([np.load(f) for f in files]).astype(np.float32)


def unit(m):
    return m / np.maximum(np.linalg.norm(m, axis=1, keepdims=True), 1e-9)


def bags(tok, texts, rows, memo=None):
    """Token-count matrix: texts x rows; kept in the file `memo` when that is given."""
    if memo and os.path.exists(memo):
        return sp.load_npz(memo)
    ids = [tok.tokenize(t) for t in texts]
    n = np.array([len(i) for i in ids])
    flat = np.fromiter((j for i in ids for j in i), np.int32, n.sum())
    m = sp.csr_matrix((np.ones(len(flat), np.float32), flat, np.concatenate([[0], np.cumsum(n)])), (len(texts), rows))
    m.sum_duplicates()
    if memo:
        sp.save_npz(memo, m, compressed=False)
    return m


class Table:
    """The rows under training, with lazy Adam: only rows that a batch touches move."""

    def __init__(self, rows, lr):
        self.w, self.m, self.v = rows, np.zeros_like(rows), np.zeros_like(rows)
        self.steps, self.lr = np.zeros(len(rows), np.int32), lr

    def forward(self, bag):
        cols, inverse = np.unique(bag.indices, return_inverse=True)
        local = sp.csr_matrix((np.sqrt(bag.data), inverse, bag.indptr), (bag.shape[0], len(cols)))
        x = local @ self.w[cols]
        norm = np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-6)
        return x / norm, (local, cols, norm)

    def backward(self, y, saved, grad):
        """Gradient with respect to the rows, through the L2 normalisation."""
        local, cols, norm = saved
        g = (grad - y * (grad * y).sum(1, keepdims=True)) / norm
        return cols, local.T @ g

    def update(self, grads, rate):
        cols = np.unique(np.concatenate([c for c, _ in grads]))
        g = np.zeros((len(cols), self.w.shape[1]), np.float32)
        for c, d in grads:
            g[np.searchsorted(cols, c)] += d
        self.steps[cols] += 1
        t = self.steps[cols][:, None].astype(np.float32)
        m = self.m[cols] * 0.9 + 0.1 * g
        v = self.v[cols] * 0.999 + 0.001 * g * g
        self.m[cols], self.v[cols] = m, v
        step = (m / (1 - 0.9 ** t)) / (np.sqrt(v / (1 - 0.999 ** t)) + 1e-8)
        self.w[cols] -= self.lr * rate * step


def info_nce(a, b, same, temperature):
    """Symmetric InfoNCE with in-batch negatives; pairs that share a text (`same`) are no negatives."""
    z = (a @ b.T) / temperature
    z[same] = -1e4
    n = len(a)
    d = np.arange(n)
    z[d, d] = (a * b).sum(1) / temperature
    z -= z.max()
    p = np.exp(z - z.max(1, keepdims=True)); p /= p.sum(1, keepdims=True)
    q = np.exp(z - z.max(0, keepdims=True)); q /= q.sum(0, keepdims=True)
    loss = -(np.log(p[d, d] + 1e-12).mean() + np.log(q[d, d] + 1e-12).mean()) / 2
    g = (p + q) / 2
    g[d, d] -= 1
    g /= temperature * n
    return loss, g @ b, g.T @ a


def load(cache):
    pairs, mono, lexicon, people = pickle.load(open(cache + "/corpus.pkl", "rb"))
    entries, costs, freq = pickle.load(open(cache + "/vocab.pkl", "rb"))
    return pairs, mono, lexicon, people, entries, costs, freq


def initial(cache, entries, freq, basis_texts, langs):
    """Centred per language, projected by PCA, weighted by a/(a+p)."""
    words = shards(cache, "words")[: len(entries)]
    cjk = np.array([is_cjk(ord(e[0])) for e in entries])
    mean = {l: basis_texts[langs == l].mean(0) for l in ("en", "ja")}
    centred = np.where((langs == "ja")[:, None], basis_texts - mean["ja"], basis_texts - mean["en"])
    words = words - np.where(cjk[:, None], words[cjk].mean(0), words[~cjk].mean(0))
    cov = centred.T @ centred / len(centred) + words.T @ words / len(words)
    val, vec = np.linalg.eigh(cov)
    proj = vec[:, ::-1][:, :DIMS].astype(np.float32)
    p = np.array([freq.get(e, 1e-7) for e in entries], np.float32)
    # frequent words weigh little (SIF, Arora et al. 2017); rare ones more than the middle
    weight = 1e-3 / (1e-3 + p) * (1 + 0.08 * np.maximum(0, np.log(1e-4 / np.maximum(p, 1e-8))))
    rows = unit(words @ proj) * weight[:, None]
    return rows.astype(np.float32), unit(centred @ proj), unit(words @ proj)


def run(cache, out, epochs=EPOCHS, seed=11, lr=0.01, temperature=0.05, shards_used=None):
    rng = np.random.default_rng(seed)
    pairs, mono, lexicon, people, entries, costs, freq = load(cache)
    tok, n = Tokenizer(entries, costs), len(entries)
    rows = teacher.texts(pairs, mono)
    targets = shards(cache, "texts", shards_used)
    have = len(targets)
    everything, rows = rows, rows[:have]
    langs = np.array([l for _, l, _ in rows])
    w, text_target, word_target = initial(cache, entries, freq, targets, langs)
    # both sides of a translation aim at the middle of their two vectors
    by_pair: dict[int, list[int]] = {}
    for i, (p, _, _) in enumerate(rows):
        if p >= 0:
            by_pair.setdefault(p, []).append(i)
    for ids in by_pair.values():
        if len(ids) == 2:
            text_target[ids] = unit(text_target[ids].mean(0, keepdims=True))
    t0 = time.time()
    text_bag = bags(tok, [t for _, _, t in everything], n, f"{cache}/bag-texts.npz")[:have]
    # English-only texts teach Japanese tokens too: a word-by-word gloss of the text has the text's target
    gloss = Glosser(lexicon, people, freq, set(entries), seed)
    alone = np.array([i for i, (p, _, _) in enumerate(everything) if p < 0])
    alone_bag = bags(tok, [gloss.translate(everything[i][2]) for i in alone], n, f"{cache}/bag-alone.npz")
    ok = (np.diff(alone_bag.indptr) > 2) & (alone < have)
    alone, alone_bag = alone[ok], alone_bag[ok]
    word_bag = bags(tok, [e.removeprefix("##") for e in entries], n)
    print("texts", have, "tokens/text", text_bag.sum() / have, time.time() - t0, flush=True)

    # contrastive sources: name -> (left bags, right bags, ids of equal texts on either side)
    sources = {}
    def add(name, left, right, share, most):
        l, r = (bags(tok, x, n, f"{cache}/bag-{name}-{k}.npz") for k, x in enumerate((left, right)))
        ok = np.flatnonzero((np.diff(l.indptr) > 0) & (np.diff(r.indptr) > 0))
        ident = lambda xs: np.unique(np.array([hash_text(x) for x in xs]), return_inverse=True)[1]
        sources[name] = (l[ok], r[ok], ident(left)[ok], ident(right)[ok], share, most)
        print(name, len(ok), time.time() - t0, flush=True)
    good = [(s, e, j) for s, e, j in pairs if teacher.translated(e, j)]
    for src in ("libreoffice", "electron", "gnome", "handbook", "catalogue", "tatoeba"):
        sub = [(e, j) for s, e, j in good if s == src]
        add(src, [e for e, _ in sub], [j for _, j in sub], len(sub), 3)
    add("lexicon", [f for f, _ in lexicon], [re.sub(r"\([^)]*\)", "", g) or g for _, g in lexicon], 120_000, 2)
    add("names", [f for f, _ in people], [g for _, g in people], 30_000, 1)
    wn = [(t, x) for s, t, x in mono if s == "wordnet"]
    add("wordnet", [t for t, _ in wn], [x for _, x in wn], 60_000, 1)
    wiki = [(t, x) for s, t, x in mono if s == "wiki"]
    add("wiki", [t for t, _ in wiki], [x for _, x in wiki], 10_000, 1)
    cloze_a, cloze_b = [], []
    for t, x in wiki:
        s = re.split(r"(?<=[.!?])\s+", x)
        for i in range(len(s)):
            if len(s) > 1 and len(s[i]) > 30:
                cloze_a.append(s[i]); cloze_b.append(t + " " + " ".join(s[:i] + s[i + 1:]))
    add("cloze", cloze_a, cloze_b, 40_000, 1)

    twist = lambda xs: [gloss.translate(x) for x in xs]
    memo = f"{cache}/glossed.pkl"
    if not os.path.exists(memo):
        pickle.dump((twist(cloze_a), twist(cloze_b), twist([t for t, _ in wn]), twist([x for _, x in wn]), twist([x for _, x in wiki])), open(memo, "wb"))
    ga, gb, gt, gx, gw = pickle.load(open(memo, "rb"))
    add("glossed-cloze", ga, gb, 40_000, 1)
    add("glossed-wordnet", gt, gx, 40_000, 1)
    add("glossed-definition", [t for t, _ in wn], gx, 30_000, 1)
    add("glossed-wiki", [x for _, x in wiki], gw, 10_000, 1)
    add("glossed-question", cloze_a, gb, 20_000, 1)

    # sentence -> its two-sentence passage, among the other passages of the same article or manual
    left, right = [], []
    for _, x in wiki:
        s = re.split(r"(?<=[.!?])\s+", x)
        for i in range(0, len(s) - 1, 2):
            passage = " ".join(s[i:i + 2] if i + 3 < len(s) else s[i:])
            for one in s[i:i + 2]:
                left.append(one); right.append(passage)
    add("detail-en", left, right, 80_000, 1)
    memo = f"{cache}/glossed-detail.pkl"
    if not os.path.exists(memo):
        pickle.dump((twist(left), [dict(zip(p, twist(p))) for p in [list(dict.fromkeys(right))]][0]), open(memo, "wb"))
    gl, gr = pickle.load(open(memo, "rb"))
    add("detail-glossed", gl, [gr[r] for r in right], 80_000, 1)
    left, right = [], []
    for src, e, j in good:
        parts = [p for p in re.split(r"(?<=。)", j) if len(p) > 8]
        if src != "tatoeba" and len(parts) > 1:
            for p in parts:
                left.append(p); right.append(j)
    add("detail-ja", left, right, 60_000, 1)

    frames = {lang: bags(tok, FRAMES[lang], n) for lang in FRAMES}
    asking = {"cloze": "en", "glossed-cloze": "ja", "glossed-question": "en", "wiki": "en", "wordnet": "en", "glossed-wordnet": "ja", "lexicon": "ja", "detail-en": "en", "detail-glossed": "ja", "detail-ja": "ja"}
    table = Table(w, lr)
    names = list(sources)
    share = np.array([sources[k][4] for k in names], float) ** 0.75
    share /= share.sum()
    batch = 1024
    steps = int(epochs * 400)
    stats = {k: [] for k in [*names, "text", "glossed", "word"]}
    for step in range(steps):
        rate = min(1.0, (step + 1) / 100) * max(0.02, 1 - step / steps)
        grads = []
        pick = rng.integers(0, have, batch)
        y, saved = table.forward(text_bag[pick])
        stats["text"].append(1 - (y * text_target[pick]).sum(1).mean())
        grads.append(table.backward(y, saved, -text_target[pick] * (4.0 / batch)))
        pick = rng.integers(0, len(alone), batch // 2)
        y, saved = table.forward(alone_bag[pick])
        goal = text_target[alone[pick]]
        stats["glossed"].append(1 - (y * goal).sum(1).mean())
        grads.append(table.backward(y, saved, -goal * (2.0 / batch)))
        pick = rng.integers(0, n, 512)
        y, saved = table.forward(word_bag[pick])
        stats["word"].append(1 - (y * word_target[pick]).sum(1).mean())
        grads.append(table.backward(y, saved, -word_target[pick] * (1.0 / 512)))
        for name in rng.choice(names, 2, p=share):
            l, r, li, ri, _, most = sources[name]
            size = min(batch, l.shape[0] // most)
            k = int(rng.integers(1, most + 1))
            if name.startswith("detail"):  # neighbours are the hard negatives: a few stretches of the list
                starts = rng.integers(0, l.shape[0] - 64, size // 64)
                pick = (starts[:, None] + np.arange(64)).ravel()
                size = len(pick)
            else:
                pick = rng.permutation(l.shape[0])[: size * k] if l.shape[0] < 20_000 else rng.integers(0, l.shape[0], size * k)
            lb, rb = l[pick], r[pick]
            if k > 1:  # k pairs laid together make a longer text and its translation
                group = sp.csr_matrix((np.ones(size * k, np.float32), (np.arange(size * k) % size, np.arange(size * k))), (size, size * k))
                lb, rb = (group @ lb).tocsr(), (group @ rb).tocsr()
            if name in asking and k == 1:
                lb = as_question(lb, frames[asking[name]], rng)
            a, b = li[pick[:size]], ri[pick[:size]]
            same = (a[:, None] == a) | (b[:, None] == b)
            np.fill_diagonal(same, False)
            ya, sa = table.forward(lb)
            yb, sb = table.forward(rb)
            loss, ga, gb = info_nce(ya, yb, same, temperature)
            stats[name].append(loss)
            grads += [table.backward(ya, sa, ga), table.backward(yb, sb, gb)]
        table.update(grads, rate)
        if step % 400 == 399:
            print(f"step {step + 1}/{steps} {time.time() - t0:.0f}s " + " ".join(f"{k} {np.mean(v[-60:]):.3f}" for k, v in stats.items() if v), flush=True)
    idle = table.steps == 0
    print("rows never trained", idle.sum(), "mean norm trained", np.linalg.norm(table.w[~idle], axis=1).mean(), flush=True)
    np.save(out + ".rows.npy", table.w)
    write(out, entries, costs, table.w, {"id": "static-en-ja", "version": "1", "teacher": "multilingual-e5-small"})


def as_question(bag, frames, rng):
    """Long left sides lose about a third of their tokens, and half of all get a question frame."""
    bag = bag.copy()
    long = np.repeat(np.diff(bag.indptr) > 6, np.diff(bag.indptr))
    bag.data = bag.data * ~(long & (rng.random(len(bag.data)) < 0.4))
    bag.eliminate_zeros()
    pick = rng.integers(0, frames.shape[0], bag.shape[0])
    add = frames[pick]
    add.data = add.data * np.repeat(rng.random(bag.shape[0]) < 0.5, np.diff(add.indptr))
    out = (bag + add).tocsr()
    out.eliminate_zeros()
    return out


def hash_text(t):
    import zlib
    return zlib.crc32(t.encode())


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("cache"); ap.add_argument("out")
    ap.add_argument("--epochs", type=float, default=EPOCHS)
    ap.add_argument("--seed", type=int, default=11)
    ap.add_argument("--lr", type=float, default=0.01)
    ap.add_argument("--temperature", type=float, default=0.05)
    ap.add_argument("--shards", type=int)
    a = ap.parse_args()
    run(a.cache, a.out, a.epochs, a.seed, a.lr, a.temperature, a.shards)
