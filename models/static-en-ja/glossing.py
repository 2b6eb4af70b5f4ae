"""Word-by-word Japanese for English text, from JMdict's glosses.

A mean of token vectors knows no word order, so a bag of dictionary words is training text as good as a sentence:
it carries the teacher's view of English encyclopaedic text over to Japanese tokens, where no freely licensed
prose was at hand. Choices between translations are random in proportion to the root of their frequency.
"""
import collections, random, re
from tokenizer import normalize

LEAVE = set("the a an of in on at to and or is are was were be been being it its as by for with from that this these those which who whom whose has have had not no than then but also into such his her their he she they i you we".split())


class Glosser:
    def __init__(self, lexicon, people, freq, known, seed=5):
        self.rng = random.Random(seed)
        table = collections.defaultdict(dict)
        def add(gloss, ja, weight):
            if ja in known:
                table[gloss][ja] = max(table[gloss].get(ja, 0.0), weight)
        for ja, glosses in lexicon:
            ja = normalize(ja)
            for k, g in enumerate(glosses.split("; ")):
                g = re.sub(r"^(to be|to|a|an|the) ", "", re.sub(r"\([^)]*\)", "", g).strip().lower())
                if g and len(g.split()) <= 3:
                    add(g, ja, freq.get(ja, 1e-9) / (1 + k))
        for ja, name in people:
            add(name.lower(), normalize(ja), freq.get(normalize(ja), 1e-9))
        self.table = {}
        for g, d in table.items():
            top = sorted(d.items(), key=lambda x: -x[1])[:4]
            self.table[g] = ([j for j, _ in top], [w ** 0.5 for _, w in top])

    def lookup(self, phrase):
        for form in forms(phrase):
            hit = self.table.get(form)
            if hit:
                return self.rng.choices(*hit)[0]
        return None

    def translate(self, text: str) -> str:
        """Japanese words with separators between them; numbers stay, words without an entry are left out."""
        words = re.findall(r"[a-z0-9]+(?:['-][a-z]+)*", normalize(text))
        out, i = [], 0
        while i < len(words):
            for n in (3, 2, 1):
                phrase = " ".join(words[i:i + n])
                if n == 1 and (phrase in LEAVE or len(phrase) < 2 and not phrase.isdigit()):
                    i += 1
                    break
                if n == 1 and phrase.isdigit():
                    out.append(phrase)
                    i += 1
                    break
                ja = self.lookup(phrase)
                if ja:
                    out.append(ja)
                    i += n
                    break
            else:
                i += 1
        return "、".join(out)


def forms(phrase):
    """The phrase and the likely base forms of its last word."""
    yield phrase
    for end, put in (("ies", "y"), ("es", ""), ("s", ""), ("ied", "y"), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", ""), ("ly", "")):
        if phrase.endswith(end) and len(phrase) > len(end) + 2:
            yield phrase[: -len(end)] + put
    if re.search(r"(.)\1(ed|ing)$", phrase):
        yield re.sub(r"(.)\1(ed|ing)$", r"\1", phrase)
