"""Writes what the Python side makes of some hand-written texts; the TypeScript twin is tested against it.

    python parity.py model.bin ../../src/nlp/embed/static-encoder.parity.json
"""
import json, sys
from model_file import StaticModel

TEXTS = [
    "", " ", "\u0000", "a", "Hello, World!", "The gateway's retries don't multiply.", "naïve café, São Paulo, Straße, ŒUVRE",
    "getUserById_v2 utf8mb4 HTTP/2 3.14159 20261121 0x1F", "Pneumonoultramicroscopicsilicovolcanoconiosis",
    "x" * 200, "ab" * 40 + " tail", "関所はすべての要求を検査します。", "東京都港区の会議室を予約したい。", "ﾊﾝｶｸｶﾅ ﾊﾞﾝｸｰﾊﾞｰ",
    "Ｆｕｌｌｗｉｄｔｈ ＡＢＣ１２３", "①②③ ㍿ ㌔ ﬁle", "が が (decomposed)", "カタカナ語とEnglishの混在テキストv2です", "👩‍💻 emoji 🎌 flags 🇯🇵",
    "\u200bzero\u200dwidth\ufeff", "ΑΒΓ αβγ ΣΊΣΥΦΟΣ", "İstanbul DŽ", "привет мир", "안녕하세요", "𠮷野家で𩸽を食べた", "々〆〇ヽヾー", "一" * 600,
    "ああ" * 300, "機械学習モデルの推論遅延を監視する仕組み", "返金はいつ届きますか？", "\t改行\r\nとタブ\t", "手-話 e-mail co-operate", "ーーーー", "℃ Ω Å ½ ™",
]

if __name__ == "__main__":
    m = StaticModel.read(sys.argv[1])
    vectors = m.encode(TEXTS)
    rows = [{"text": t, "tokens": [m.tokenizer.entries[i] for i in m.tokenizer.tokenize(t)], "head": [round(float(x), 5) for x in v[:8]]}
            for t, v in zip(TEXTS, vectors)]
    with open(sys.argv[2], "w", encoding="utf8") as f:
        f.write("[\n" + ",\n".join(json.dumps(r, ensure_ascii=False) for r in rows) + "\n]\n")
