import type { Message } from '../../spec/chat.ts';

/** What kind of thing a question asks for; `other` where nothing says. */
export type AnswerKind = 'time' | 'number' | 'person' | 'place' | 'reason' | 'how' | 'definition' | 'other';

export interface Question {
  text: string;
  kind: AnswerKind;
  /** The question without its interrogatives and polite endings: what a supporting sentence repeats. */
  topic: string;
  /** Counter words of a Japanese 何年, 何人, ...: the answer has a number before one of them. */
  counters: string[];
  /** Versions, numbers of two digits, names with digits in them, paths and options, lower case: an answer is about these. */
  exact: string[];
  /** The thing asked about by "what is X" or 「Xとは」, lower case. */
  defined?: string;
}

const LONGEST_QUESTION = 8_000;

const KINDS: readonly (readonly [AnswerKind, RegExp])[] = [
  [
    'time',
    /^\s*when\b|\bwhen (?:is|are|was|were|did|does|do|will|can|has|had)\b|\b(?:what (?:year|date|day|month|century|decade|time)|which (?:year|date|month|century|decade)|in what year|how old)\b/i,
  ],
  ['time', /いつ|何(?:年|月|日|時|世紀|曜日|年代)|何歳/],
  [
    'number',
    /\bhow (?:many|much|long|far|tall|high|large|big|fast|often|deep|wide)\b|\bwhat (?:number|percentage|percent|amount)\b/i,
  ],
  [
    'number',
    /いくつ|いくら|どのくらい|どれくらい|どれほど|何[人個回本枚台件度倍番位社校名羽頭匹巻話階種割円点箇ヶか]|割合/,
  ],
  ['person', /\b(?:who|whom|whose)\b/i],
  ['person', /誰|だれ|何者|人物|どなた/],
  [
    'place',
    /\b(?:where|what (?:city|country|state|place|town|region)|which (?:city|country|state|place|town|region))\b/i,
  ],
  ['place', /どこ|どの(?:国|都市|町|県|地域|州)|何(?:県|市|国|州|区)|場所/],
  ['reason', /\bwhy\b|\bwhat (?:caused|is the reason|was the reason)\b/i],
  ['reason', /なぜ|何故|どうして|理由|原因/],
  ['how', /\bhow (?:do|can|should|could|would|to)\b/i],
  [
    'how',
    /方法|手順|やり方|(?:する|[うくぐすつぬぶむる])には|にはどう|どうすれば|どうやって|どのように(?:し|設定|使|行)/,
  ],
];

const ENGLISH_ASKING =
  /\b(?:what|which|who|whom|whose|when|where|why|how (?:many|much|long|far|often|old|do|does|can|to)|how|did|does|do|please|tell me|explain|describe|mean|means|meaning)\b/gi;
const JAPANESE_ASKING =
  /何を(?:する|行う)(?:もの|[\u30a1-\u30fc]{2,8}|関数|命令|道具)|の?意味(?=は|を|$|[?？])|(?:について)?(?:教えて(?:下さい|ください)?|説明して(?:下さい|ください)?|述べよ|答えよ)|とは(?=何|なん|ど|[?？。]|$)|には(?=[?？。]|$)|(?:何|なん)(?:です|でしょう|だ|か|と|が|を|に|の)|何|誰|だれ|いつ|どこ|どれくらい|どのくらい|どのような|どのように|どれ|どの|どんな|どういう|どう|なぜ|いくつ|いくら|(?:(?:でしょう|です|ます|ました|でした|だろう|の)?か|でしょう|です|ます|ました|でした|だろう)(?:[?？。]|$)/g;

const EXACT =
  /(?<![\p{L}\d])(?:\/?(?:[\w.-]{1,64}\/){1,16}[\w.-]{0,64}\w|(?<=\s)--?[a-z][\w-]*|\d+(?:\.\d+)+|\d{2,}|\p{Script=Latin}+[-_.]?\d[\w.-]*|\w+_\w+)(?![\p{Script=Latin}\d])/giu;

/** The question of a conversation: the text of its last user message, at most 8,000 code units. */
export function questionOf(messages: readonly Message[]): string {
  const last = messages.findLast((message) => message.role === 'user');
  const text = (last?.parts ?? []).flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
  return text.trim().slice(0, LONGEST_QUESTION).toWellFormed();
}

/** Reads what a question asks for. */
export function readQuestion(text: string): Question {
  const plain = text.normalize('NFKC');
  const defined = definedThing(plain);
  const kind =
    KINDS.find(([, pattern]) => pattern.test(plain))?.[0] ?? (defined === undefined ? 'other' : 'definition');
  const bare = plain.replace(ENGLISH_ASKING, ' ').replace(JAPANESE_ASKING, ' ');
  // What is done ("back up") is named by one word (a backup).
  const joined =
    kind === 'how' ? [...bare.matchAll(/\b(\p{L}{2,}) (up|down)\b/giu)].map(([, verb, way]) => ` ${verb}${way}`) : [];
  const topic = bare + joined.join('');
  const counters = [...plain.matchAll(/何([^\s\u3041-\u3096?？、。]{1,3})/g)].flatMap((match) => match[1] ?? []);
  const exact = [...plain.matchAll(EXACT)].map(([found]) => found.toLowerCase());
  // In a Japanese question a word in Latin letters is a name.
  if (defined !== undefined && /^[!-~]{2,}$/.test(defined) && /[\u3041-\u30ff]/.test(plain)) exact.push(defined);
  return { text, kind, topic, counters, exact, ...(defined === undefined ? {} : { defined }) };
}

/** 「Xとは何ですか」 and 「Xは何をするコマンドですか」: what stands before is the thing. */
const JAPANESE_THINGS = [
  /^\s*([^、。?？]{1,40}?)(?:とは|って|の意味は)(?:何|なん|どんな|どういう|\s*[?？]|\s*$)/,
  /^\s*([^、。?？]{1,40}?)\s?は、?(?:何を(?:する|行う)|どんな|どういう|どのような)(?:もの|[\u30a1-\u30fc]{2,8}|関数|命令|道具)(?:です|でしょう|だ|か|[?？]|$)/,
];

function definedThing(question: string): string | undefined {
  const english =
    /^\s*(?:what(?:'s| is| are| was| were| does| do)|define|explain)\s+(?:an?\s+|the\s+)?([^?]{1,60}?)(?:\s+(?:mean|do|(?:used\s+)?for))?\s*[?.]*\s*$/i.exec(
      question,
    );
  const japanese = JAPANESE_THINGS.map((pattern) => pattern.exec(question)).find((found) => found !== null);
  const thing = (english?.[1] ?? japanese?.[1])?.trim().toLowerCase();
  return thing === undefined || thing === '' ? undefined : thing;
}
