import type { AnswerKind, Question } from './question.ts';

const NUMBER =
  /\d|[一二三四五六七八九十百千万億]|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand|million|billion|half|third|quarter|several)\b/i;
const TIME =
  /\b(?:1\d{3}|20\d{2})\b|\d{1,2}世紀|\d年|\d月|昭和|平成|大正|明治|令和|\bcentury\b|\b(?:January|February|March|April|May|June|July|August|September|October|November|December|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)\b|\d+s\b/;
const ENGLISH_NAME = /(?<=\S )\p{Lu}[\p{Ll}'’]+|\p{Lu}[\p{Ll}'’]+ \p{Lu}[\p{Ll}'’]+/u;
const JAPANESE_PERSON =
  /氏|さん|者|人|王|帝|博士|教授|大統領|[\u30a1-\u30fc]+[・=][\u30a1-\u30fc]+|(?:が|は|により|によって)/;
const ENGLISH_PLACE = /\b(?:in|at|near|from|to|of|between|on) (?:the )?\p{Lu}/u;
const JAPANESE_PLACE = /[都道府県市区町村国州島山川湖港駅]|大陸|地方|地域|半島/;
const REASON =
  /\bbecause\b|\bdue to\b|\bsince\b|\bso that\b|\breason\b|\bin order to\b|\btherefore\b|\bcaused?\b|\bresult|ため|から|ので|理由|原因|により|によって|よって/i;

/** What tells somebody to do something, or by what it is done. */
const INSTRUCTION =
  /`[^`]+`|(?<!\S)--[a-z]|\b(?:GET|POST|PUT|PATCH|DELETE) \/|\bsekisho\.yaml\b|^(?:to|you)\b|^(?:use|set|run|start|stop|add|give|send|open|call|copy|install|create|choose|write|put)\b|に(?:は)?[^。]{0,60}(?:します|してください|送ります|使います|呼び出します|書きます)|で[^。]{0,40}(?:します|できます)/i;
/** A case that a sentence is about, at its beginning. */
const CASE =
  /^(?:with|when|if|where|for|without|in|to|after|before)\s([^,]{2,60}),|^([^。、]{2,40}?)(?:場合|とき)?(?:は|には)?、/i;

/** Of a sentence that defines what is asked about. */
const MOST_CUE = 4;
/** What a purpose is told apart by: English words but the shortest, and what is not Hiragana in Japanese. */
const PURPOSE_WORD = /[a-z]{4,}|[\u30a1-\u30fc]{2,}|\p{Script=Han}+/gu;

const CUES: Record<Exclude<AnswerKind, 'definition' | 'how' | 'other'>, (sentence: string) => boolean> = {
  time: (sentence) => TIME.test(sentence),
  number: (sentence) => NUMBER.test(sentence),
  person: (sentence) => ENGLISH_NAME.test(sentence) || JAPANESE_PERSON.test(sentence),
  place: (sentence) => ENGLISH_PLACE.test(sentence) || JAPANESE_PLACE.test(sentence),
  reason: (sentence) => REASON.test(sentence),
};

/** How well a sentence has the kind of thing the question asks for: -1 (misses it), 0 (no opinion), 1 (has it), 1.5 (tells how), 4 (defines it). */
export function answerCue(question: Question, sentence: string): number {
  const plain = sentence.normalize('NFKC');
  if (question.counters.length > 0) {
    const some = question.counters.some((counter) => hasCounted(plain, counter));
    if (some) return 1;
  }
  if (question.kind === 'other') return 0;
  if (question.kind === 'how') return (INSTRUCTION.test(plain) ? 1.5 : 0) - (isOtherCase(question, plain) ? 1.5 : 0);
  if (question.kind === 'definition') {
    const thing = question.defined ?? '';
    return !isDefinition(plain, thing) ? 0 : defines(plain, thing) ? MOST_CUE : 1;
  }
  return CUES[question.kind](plain) ? 1 : -1;
}

function hasCounted(sentence: string, counter: string): boolean {
  for (let at = sentence.indexOf(counter); at >= 0; at = sentence.indexOf(counter, at + 1)) {
    if (/[\d一二三四五六七八九十百千万億数]/.test(sentence.charAt(at - 1))) return true;
  }
  return false;
}

/** True where the sentence begins with the thing and says what it is: "X is a ...", "X - ...", 「Xとは…」「X（…）は…」. */
function isDefinition(sentence: string, thing: string): boolean {
  const lower = sentence.toLowerCase();
  const at = lower.indexOf(thing);
  if (thing === '' || at < 0 || at > 24) return false;
  // What belongs to the thing is another thing: "the gate of the castle is".
  if (/\bof (?:an? |the )?$/.test(lower.slice(0, at))) return false;
  const after = lower.slice(at + thing.length, at + thing.length + 80);
  // Part of a longer name (SEKISHO_DATA) is another thing.
  if (/^[\w-]/.test(after) && /\w$/.test(thing)) return false;
  return (
    /^[^.。]{0,40}?\b(?:is|are|was|were|means|refers to)\b/.test(after) ||
    /^\s?(?:[(（「『][^)）]{0,60}[)）」』])?[」』]?\s?(?:とは|は|って)/.test(after) ||
    // Lists of manuals: "lintian - a checker of packages".
    /^\s(?:[-–—=]|: )\s?\S/.test(after)
  );
}

/** True where the sentence does nothing but say what the thing is: "An X is a ...", 「X とは…」「X は…のことです」. */
function defines(sentence: string, thing: string): boolean {
  const lower = sentence.toLowerCase().replace(/^[*_`"'「『(（]*(?:(?:an?|the)\s+)?[*_`"'「『(（]*/, '');
  if (!lower.startsWith(thing)) return false;
  const after = lower.slice(thing.length).replace(/^[*_`"'」』)）]*\s*(?:[(（][^)）]{0,60}[)）])?\s*/, '');
  return (
    /^(?:(?:is|was) (?:an?|the|one|what|how|who|where|when)|(?:are|were)|means?|refers? to)\s/.test(after) ||
    after.startsWith('とは') ||
    /^は.*(?:こと|もの|である|です|だ)。?$/.test(after)
  );
}

/** "To restore a backup, ...", 「復元するには、...」 */
function isPurpose(sentence: string): boolean {
  return /^to\s/i.test(sentence) || /^[^。、]{1,40}(?:に|ため)は?、/.test(sentence);
}

/** True where the sentence is about a case that nobody asked about: "With Postgres, ...". */
function isOtherCase(question: Question, sentence: string): boolean {
  const match = CASE.exec(sentence);
  const about = match?.[1] ?? match?.[2];
  if (about === undefined) return false;
  const asked = question.text.normalize('NFKC').toLowerCase();
  if (isPurpose(sentence)) {
    const words = about.toLowerCase().match(PURPOSE_WORD) ?? [];
    if (words.length > 0 && words.every((word) => !asked.includes(word.slice(0, 5)))) return true;
  }
  const names = about.match(/\p{Lu}[\p{L}\d]+|[\u30a1-\u30fc]{3,}/gu) ?? [];
  return names.some((name) => !asked.includes(name.toLowerCase()));
}
