"""Measures a model file on the sets of ../../../shared/data; prints Markdown tables.

    python evaluate.py model.bin [--cache DIR] [--data DIR]

BM25 (k1 1.2, b 0.75, idf ln(1 + (N - n + 0.5) / (n + 0.5))) runs over the product's own terms. Candidates are the 50
best of each leg; a candidate's cosine is always computed, a candidate outside BM25's list has 0 there. Fusions:
  min-max   (1 - w) * bm25 + w * cosine, each min-max normalised over the candidates
  sum       bm25 + s * cosine, unnormalised: a weak difference stays weak on either side
  + match   the 20 best of `sum` re-ordered by sum + m * token match (src/nlp/embed/token-match.ts)
"""
import argparse, json, os, pickle, subprocess
import numpy as np
import scipy.sparse as sp
from model_file import StaticModel
from tokenizer import normalize, runs

SETS = {"JSQuAD": ("jsquad-valid.corpus", "jsquad-valid.queries"), "JaQuAD": ("jaquad-train.corpus", "jaquad-train.queries"),
        "XQuAD-en": ("xquad-en.corpus", "xquad-en.queries"), "SciFact": ("scifact.corpus", "scifact-train.queries")}
WEIGHTS, SCALES, MATCHES = (0.1, 0.2, 0.3), (8, 12, 14, 16, 20), (20, 30, 40)
SCALE = 14  # the one that `+ match` builds on
DEPTH, RERANKED = 50, 20
HERE = os.path.dirname(os.path.abspath(__file__))
BUN = os.environ.get("BUN", os.path.join(HERE, "../../node_modules/.bin/bun"))


def rows(path):
    return [json.loads(line) for line in open(path, encoding="utf8")]


def terms(texts):
    """Index terms of each text by the product's own tokeniser (terms.ts, run by Bun)."""
    run = subprocess.run([BUN, os.path.join(HERE, "terms.ts")], input="\n".join(json.dumps(t) for t in texts), capture_output=True, text=True, check=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def bm25(docs, queries, k1=1.2, b=0.75, depth=200):
    """Best `depth` documents of each query: (indices, scores)."""
    vocab: dict[str, int] = {}
    def matrix(lists, grow):
        r, c = [], []
        for i, l in enumerate(lists):
            for t in l:
                j = vocab.setdefault(t, len(vocab)) if grow else vocab.get(t)
                if j is not None:
                    r.append(i); c.append(j)
        return r, c
    r, c = matrix(docs, True)
    m = sp.csr_matrix((np.ones(len(r), np.float32), (r, c)), (len(docs), len(vocab)))
    m.sum_duplicates()
    length = np.asarray(m.sum(1)).ravel()
    df = np.bincount(m.indices, minlength=len(vocab))
    idf = np.log(1 + (len(docs) - df + 0.5) / (df + 0.5)).astype(np.float32)
    norm = k1 * (1 - b + b * length / length.mean())
    tf = m.data
    m.data = (idf[m.indices] * tf * (k1 + 1) / (tf + np.repeat(norm, np.diff(m.indptr)))).astype(np.float32)
    r, c = matrix(queries, False)
    q = sp.csr_matrix((np.ones(len(r), np.float32), (r, c)), (len(queries), len(vocab)))
    idx, val, mt = [], [], m.T.tocsr()
    for s in range(0, len(queries), 256):
        d = (q[s:s + 256] @ mt).toarray()
        k = min(depth, d.shape[1])
        top = np.argpartition(-d, k - 1, axis=1)[:, :k]
        v = np.take_along_axis(d, top, 1)
        o = np.argsort(-v, axis=1, kind="stable")
        idx.append(np.take_along_axis(top, o, 1)); val.append(np.take_along_axis(v, o, 1))
    return np.concatenate(idx), np.concatenate(val)


def spread(scores):
    """Min-max; a list of equal scores (a single hit, say) counts as all ones, not as nothing."""
    lo, hi = scores.min(), scores.max()
    return (scores - lo) / (hi - lo) if hi > lo else np.ones_like(scores)


def figures(ranked, relevant):
    """hit@1, MRR@50, nDCG@10 as means over the queries."""
    hit = mrr = ndcg = 0.0
    for docs, rel in zip(ranked, relevant):
        places = [i for i, d in enumerate(docs) if d in rel]
        if places:
            hit += places[0] == 0
            mrr += 1 / (places[0] + 1)
            ndcg += sum(1 / np.log2(p + 2) for p in places if p < 10) / sum(1 / np.log2(p + 2) for p in range(min(10, len(rel))))
    return np.array([hit, mrr, ndcg]) / len(ranked)


def fusions(li, lv, q, d, match):
    """Ranked candidates of one query under every fusion: label -> document numbers."""
    cos = d @ q
    top = np.argpartition(-cos, DEPTH)[:DEPTH]
    hits = li[:DEPTH][lv[:DEPTH] > 0]
    cand = np.concatenate([hits, np.setdiff1d(top, hits)]).astype(int)
    lex = np.zeros(len(cand))
    lex[: len(hits)] = lv[: len(hits)]
    c = cos[cand]
    best = lambda score: cand[np.argsort(-score, kind="stable")]
    out = {"BM25 alone": hits, "dense alone": top[np.argsort(-cos[top])]}
    lexn = lex.copy()
    if len(hits):
        lexn[: len(hits)] = spread(lex[: len(hits)])
    for w in WEIGHTS:
        out[f"min-max, w {w}"] = best((1 - w) * lexn + w * spread(c))
    for s in SCALES:
        out[f"sum, s {s}"] = best(lex + s * c)
    total = lex + SCALE * c
    head = np.argsort(-total, kind="stable")[:RERANKED]
    m = match(cand[head])
    for w in MATCHES:
        out[f"sum, s {SCALE} + match, m {w}"] = cand[head][np.argsort(-(total[head] + w * m), kind="stable")]
    return out


def lexical_lists(cache, data, name, with_title):
    corpus, queries = SETS[name]
    path = os.path.join(cache, f"bm25-{name}-{with_title}.pkl")
    if not os.path.exists(path):
        docs = rows(f"{data}/retrieval/{corpus}.jsonl")
        qs = rows(f"{data}/retrieval/{queries}.jsonl")
        pickle.dump(bm25(terms([body(d, with_title) for d in docs]), terms([q["text"] for q in qs])), open(path, "wb"))
    return pickle.load(open(path, "rb"))


def body(doc, with_title):
    return (doc["title"].replace("_", " ") + "\n" + doc["text"]) if with_title and doc.get("title") else doc["text"]


def retrieval(model, cache, data, with_title, names=SETS):
    table, unit_rows = {}, model.rows / np.maximum(np.linalg.norm(model.rows, axis=1, keepdims=True), 1e-9)
    for name in names:
        corpus, queries = SETS[name]
        docs, qs = rows(f"{data}/retrieval/{corpus}.jsonl"), rows(f"{data}/retrieval/{queries}.jsonl")
        number = {d["id"]: i for i, d in enumerate(docs)}
        relevant = [{number[r] for r in q["relevant"] if r in number} for q in qs]
        bodies = [body(x, with_title) for x in docs]
        d, q = model.encode(bodies), model.encode([x["text"] for x in qs])
        tokens = [np.unique(model.tokenizer.tokenize(t)) for t in bodies]
        li, lv = lexical_lists(cache, data, name, with_title)
        ranked: dict = {}
        for i, query in enumerate(qs):
            mine = np.unique(model.tokenizer.tokenize(query["text"])).astype(int)
            share = np.linalg.norm(model.rows[mine], axis=1)
            share /= max(share.sum(), 1e-9)
            near = lambda c: np.array([share @ np.clip((unit_rows[mine] @ unit_rows[tokens[x]].T).max(1), 0, 1) if len(tokens[x]) else 0.0 for x in c])
            for label, found in fusions(li[i], lv[i], q[i], d, near).items():
                ranked.setdefault(label, []).append(found)
        table[name] = {label: figures(lists, relevant) for label, lists in ranked.items()}
    return table


def crosslingual(model, data):
    """English paragraph -> its Japanese paragraph among all, whole and with the Latin letters and digits taken out."""
    docs = [r for r in rows(f"{data}/scale/python-docs-en-ja.jsonl") if r.get("ja")]
    bare = lambda t: " ".join(r for cjk, r in runs(normalize(t)) if cjk)
    en, ja = [r["en"] for r in docs], [r["ja"] for r in docs]
    latin = lambda t: [r for cjk, r in runs(normalize(t)) if not cjk]
    found, _ = bm25([latin(t) for t in ja], [latin(t) for t in en], depth=10)
    own = np.arange(len(docs))[:, None]
    lines = [("BM25 over shared Latin words and digits (floor)", (found[:, :1] == own).mean(), (found == own).any(1).mean())]
    e, j, s = model.encode(en), model.encode(ja), model.encode([bare(t) for t in ja])
    for label, a, b in (("English -> Japanese", e, j), ("Japanese -> English", j, e), ("English -> Japanese without its Latin words and digits", e, s)):
        better = np.concatenate([((sc := a[k:k + 1024] @ b.T) > sc[np.arange(len(sc)), k + np.arange(len(sc))][:, None]).sum(1) for k in range(0, len(a), 1024)])
        lines.append((label, (better < 1).mean(), (better < 10).mean()))
    return lines, len(docs)


def similarity(model, data):
    """Cosine against human scores (Spearman, JSTS) and against same-question labels (AUC, QQP)."""
    from scipy.stats import rankdata, spearmanr
    pair = lambda rs: (model.encode([r["a"] for r in rs]) * model.encode([r["b"] for r in rs])).sum(1)
    jsts, qqp = rows(f"{data}/paraphrase/jsts-valid.jsonl"), rows(f"{data}/paraphrase/qqp-dev.jsonl")
    same, rank = np.array([r["same"] for r in qqp]) == 1, rankdata(pair(qqp))
    auc = (rank[same].sum() - same.sum() * (same.sum() + 1) / 2) / (same.sum() * (~same).sum())
    print(f"\nJSTS valid, Spearman: {spearmanr(pair(jsts), [r['score'] for r in jsts])[0]:.3f}; QQP dev, AUC: {auc:.3f}")


def report(model, cache, data):
    similarity(model, data)
    lines, n = crosslingual(model, data)
    print(f"\nAligned paragraphs, {n:,} candidates:\n\n| | hit@1 | hit@10 |\n|---|---|---|")
    for label, one, ten in lines:
        print(f"| {label} | {one:.3f} | {ten:.3f} |")
    for with_title in (False, True):
        t = retrieval(model, cache, data, with_title)
        print(f"\n{'Title and text' if with_title else 'Text alone'}; hit@1 / MRR@50, SciFact: nDCG@10:\n")
        print("| | " + " | ".join(t) + " |\n|---|" + "---|" * len(t))
        for label in next(iter(t.values())):
            print(f"| {label} | " + " | ".join(f"{v[label][2]:.4f}" if n == "SciFact" else f"{v[label][0]:.4f} / {v[label][1]:.4f}" for n, v in t.items()) + " |")


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("model", nargs="?", default=HERE + "/model.bin")
    ap.add_argument("--cache", default="/tmp/static-en-ja")
    ap.add_argument("--data", default=os.path.abspath(HERE + "/../../../shared/data"))
    args = ap.parse_args()
    os.makedirs(args.cache, exist_ok=True)
    report(StaticModel.read(args.model), args.cache, args.data)
