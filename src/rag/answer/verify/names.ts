/** A name that a text uses. Those that only may be one (the first word of a sentence) are unsure. */
export interface Name {
  text: string;
  sure: boolean;
}

/** Commands, paths, options, versions, models: told by what no ordinary word has. */
const IDENTIFIER =
  /(?<![\p{L}\d])(?:--?[a-z][\w-]+|\/?[\w.-]*(?:[_/.]\w|\p{L}\d|\d\p{L}|\p{Ll}\p{Lu})[\w./-]*|\p{Lu}{2,}[\p{Lu}\d]*)(?![\p{L}\d])/gu;
const CAPITALISED = /(?<![\p{L}\d_./-])\p{Lu}[\p{L}'’-]+/gu;
const KATAKANA = /[\u30a1-\u30fa\u30fc]{3,}/g;
/** Kanji before what follows a person, a place or an organisation. */
const TITLED = /[\u3400-\u9fff々]{1,6}(?:氏|さん|様|教授|博士|首相|大統領|大学|会社|市|県|府|町|村|区|州|駅|港|島)/g;
/** Kanji that a sentence begins with, before its particle: what it is about. */
const SUBJECT = /(?:^|[。、「])([\u3400-\u9fff々]{2,6})(?=[はがのをにで])/g;
const SENTENCE_START = /(?:^|[.!?:]["'”’)\]]*\s+|\n\s*)$/;
/** Words that begin sentences and name nothing. */
const OPENERS = new Set(
  `the a an this that these those it its he she they we you i in on at by for from to of with without when where while
  if as and but or so because since after before during although though however therefore thus also additionally
  moreover furthermore finally first second third next then there here yes no not each every all both some any most
  many several such according based please note use set send run see only once until`.split(/\s+/),
);

/** Names in English and Japanese text, each once, without the possessive ending. */
export function namesOf(text: string): Name[] {
  const plain = text.normalize('NFKC');
  const names = new Map<string, Name>();
  const add = (name: string, sure: boolean): void => {
    const known = names.get(name);
    if (known === undefined) names.set(name, { text: name, sure });
    else if (sure) known.sure = true;
  };
  for (const [found] of plain.matchAll(IDENTIFIER)) {
    const name = found.replace(/[./-]+$/, '');
    // An abbreviation at the end of a sentence, a pair of words with a slash: no name.
    if (name.length > 1 && !/^(?:e\.g|i\.e|and\/or)$/i.test(name)) add(name, true);
  }
  for (const match of plain.matchAll(CAPITALISED)) {
    const name = match[0].replace(/['’]s?$/, '');
    const first = SENTENCE_START.test(plain.slice(0, match.index));
    if (first && OPENERS.has(name.toLowerCase())) continue;
    const paired = first && /^ \p{Lu}\p{Ll}/u.test(plain.slice(match.index + match[0].length));
    add(name, !first || paired);
  }
  for (const [found] of plain.matchAll(TITLED)) add(found, true);
  for (const [found] of plain.matchAll(KATAKANA)) add(found.replace(/ー$/, ''), false);
  for (const [, found = ''] of plain.matchAll(SUBJECT)) add(found, false);
  return [...names.values()];
}

/** Whether the text has the name, in whatever case. */
export function hasName(text: string, name: string): boolean {
  return text.normalize('NFKC').toLowerCase().includes(name.toLowerCase());
}
