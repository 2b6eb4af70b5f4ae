/** A number or date that a text states, in a form that its spellings share: 九時, 9時 and ９時 are one. */
export interface Quantity {
  /** A decimal number, or `year-month-day` with `?` for what is not said. */
  value: string;
  kind: 'number' | 'date';
  /** Where both texts name a unit that is known, it must be the same. */
  unit?: string;
  /** Where it stands in the NFKC form of the text. */
  start: number;
  end: number;
}

const MONTHS = 'january february march april may june july august september october november december'.split(' ');
const MONTH = `(${MONTHS.map((month) => `${month.slice(0, 3)}(?:${month.slice(3)})?`).join('|')})\\.?`;
/** The year before the first of each era. */
const ERAS: Readonly<Record<string, number>> = { 令和: 2018, 平成: 1988, 昭和: 1925, 大正: 1911, 明治: 1867 };

const KANJI = '〇一二三四五六七八九';
const KANJI_NUMBER = '[〇一二三四五六七八九十百千万億]+';
/** After these, kanji that could be a number are one; 一般 and 千葉 are words. */
const COUNTER =
  '(?:時間|時|分|秒|日|か月|ヶ月|カ月|月|年|週|人|名|個|件|回|本|台|円|度|倍|つ|階|歳|才|割|枚|通|頁|ページ|トン|メートル|キロ|グラム|ドル|パーセント|バイト|文字|行|種|社|校|番|位|票)';

const WORDS: Readonly<Record<string, number>> = {
  zero: 0,
  two: 2,
  three: 3,
  four: 4,
  five: 5,
  six: 6,
  seven: 7,
  eight: 8,
  nine: 9,
  ten: 10,
  eleven: 11,
  twelve: 12,
  thirteen: 13,
  fourteen: 14,
  fifteen: 15,
  sixteen: 16,
  seventeen: 17,
  eighteen: 18,
  nineteen: 19,
  twenty: 20,
  thirty: 30,
  forty: 40,
  fifty: 50,
  sixty: 60,
  seventy: 70,
  eighty: 80,
  ninety: 90,
  dozen: 12,
};
const TIMES: Readonly<Record<string, number>> = {
  hundred: 100,
  thousand: 1e3,
  million: 1e6,
  billion: 1e9,
  百: 100,
  千: 1e3,
  百万: 1e6,
  万: 1e4,
  億: 1e8,
};

/** Spellings of units that mean the same. */
const UNITS: readonly (readonly [string, RegExp])[] = [
  ['ms', /^(?:ms\b|milliseconds?\b|ミリ秒)/i],
  ['s', /^(?:s\b|secs?\b|seconds?\b|秒)/i],
  ['min', /^(?:mins?\b|minutes?\b|分)/i],
  ['h', /^(?:h\b|hrs?\b|hours?\b|時間)/i],
  ['d', /^(?:days?\b|日)/i],
  ['week', /^(?:weeks?\b|週)/i],
  ['month', /^(?:months?\b|か月|ヶ月|カ月)/i],
  ['year', /^(?:years?\b|年)/i],
  ['%', /^(?:%|percent\b|per cent\b|パーセント)/i],
  ['B', /^(?:bytes?\b|バイト)/i],
  ['KB', /^Ki?B\b/i],
  ['MB', /^Mi?B\b/i],
  ['GB', /^Gi?B\b/i],
  ['TB', /^Ti?B\b/i],
  ['USD', /^(?:dollars?\b|USD\b|ドル)/i],
  ['JPY', /^(?:yen\b|JPY\b|円)/i],
  ['km', /^(?:km\b|kilomet(?:er|re)s?\b|キロメートル)/i],
  ['m', /^(?:m\b|met(?:er|re)s?\b|メートル)/i],
  ['kg', /^(?:kg\b|kilograms?\b|キログラム)/i],
  ['t', /^(?:tons?\b|tonnes?\b|トン)/i],
  ['people', /^(?:people\b|persons?\b|人|名)/i],
  ['times', /^(?:times\b|回)/i],
];

/** Numbers and dates of a text, in order. Names with digits in them (gpt-4o, v1.2.3) are names. */
export function quantitiesOf(text: string): Quantity[] {
  const found: Quantity[] = [];
  let plain = text.normalize('NFKC');
  const take = (
    pattern: RegExp,
    read: (match: RegExpExecArray) => Omit<Quantity, 'start' | 'end'> | undefined,
  ): void => {
    for (const match of plain.matchAll(pattern)) {
      const quantity = read(match);
      if (quantity === undefined) continue;
      found.push({ ...quantity, start: match.index, end: match.index + match[0].length });
      // What is read once is blank for the patterns after it.
      plain = plain.slice(0, match.index) + ' '.repeat(match[0].length) + plain.slice(match.index + match[0].length);
    }
  };
  const date = (year?: string, month?: string | number, day?: string): Omit<Quantity, 'start' | 'end'> => ({
    kind: 'date',
    value: [year, month, day].map((part) => (part === undefined ? '?' : String(Number(part)))).join('-'),
  });

  take(/\b(\d{4})[-/](\d{1,2})[-/](\d{1,2})\b/g, ([, year, month, day]) => date(year, month, day));
  take(
    /(令和|平成|昭和|大正|明治)(\d{1,2}|元)年(?:(\d{1,2})月(?:(\d{1,2})日)?)?/g,
    ([, era = '', year = '', month, day]) =>
      date(String((ERAS[era] ?? 0) + (year === '元' ? 1 : Number(year))), month, day),
  );
  take(/(\d{4})年(?:(\d{1,2})月(?:(\d{1,2})日)?)?/g, ([, year, month, day]) => date(year, month, day));
  take(/(\d{1,2})月(\d{1,2})日/g, ([, month, day]) => date(undefined, month, day));
  const dayFirst = new RegExp(`\\b(\\d{1,2})(?:st|nd|rd|th)?(?: of)? ${MONTH}(?:,? (\\d{4}))?\\b`, 'gi');
  take(dayFirst, ([, day, month = '', year]) => date(year, monthOf(month), day));
  const monthFirst = new RegExp(`\\b${MONTH} (\\d{1,2})(?:st|nd|rd|th)?\\b(?!\\d)(?:,? (\\d{4}))?`, 'gi');
  take(monthFirst, ([, month = '', day, year]) => date(year, monthOf(month), day));
  take(new RegExp(`\\b${MONTH},? (\\d{4})\\b`, 'gi'), ([, month = '', year]) => date(year, monthOf(month)));

  const number = (value: number, after: string, before = ''): Omit<Quantity, 'start' | 'end'> => {
    const unit = before === '$' ? 'USD' : before === '¥' ? 'JPY' : unitAt(after);
    return { kind: 'number', value: String(Number(value.toPrecision(12))), ...(unit !== undefined && { unit }) };
  };
  // Letters around a number make it part of a name.
  take(
    /(?<![\p{Script=Latin}\d_.])([$¥]?)(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?!\.\d|[\d_])(?:\s?(hundred|thousand|million|billion|百万|万|億|千|百))?/giu,
    (match) => {
      const [whole, sign = '', digits = '', times] = match;
      const after = plain.slice(match.index + whole.length, match.index + whole.length + 20).replace(/^[\s-]/, '');
      if (/^\p{Script=Latin}/u.test(plain.charAt(match.index + whole.length)) && unitAt(after) === undefined) return;
      return number(Number(digits.replaceAll(',', '')) * (TIMES[times?.toLowerCase() ?? ''] ?? 1), after, sign);
    },
  );
  take(new RegExp(`(${KANJI_NUMBER})(?=${COUNTER})`, 'g'), (match) => {
    const value = kanjiValue(match[1] ?? '');
    return value === undefined ? undefined : number(value, plain.slice(match.index + match[0].length));
  });
  const word = Object.keys(WORDS).join('|');
  take(new RegExp(`\\b(${word})(?:[- ](${word}))?(?: (hundred|thousand|million|billion))?\\b`, 'gi'), (match) => {
    const [whole, first = '', second, times] = match;
    const tens = WORDS[first.toLowerCase()] ?? 0;
    const sum = tens + (second === undefined ? 0 : (WORDS[second.toLowerCase()] ?? 0));
    return number(sum * (TIMES[times?.toLowerCase() ?? ''] ?? 1), plain.slice(match.index + whole.length).trimStart());
  });
  return found.sort((a, b) => a.start - b.start);
}

/** Whether the evidence says what the claim says: the same value, at least as exactly, in no other unit. */
export function agrees(claim: Quantity, evidence: Quantity): boolean {
  if (claim.kind === 'date' && evidence.kind === 'date') {
    const known = evidence.value.split('-');
    return claim.value.split('-').every((part, i) => part === '?' || part === known[i]);
  }
  // A year alone is a number too: "in 1999" of 3 May 1999.
  if (claim.kind === 'number' && evidence.kind === 'date') return evidence.value.split('-')[0] === claim.value;
  if (valueOf(claim) !== valueOf(evidence)) return false;
  return claim.unit === undefined || evidence.unit === undefined || claim.unit === evidence.unit;
}

function valueOf({ kind, value }: Quantity): string {
  return kind === 'date' ? value.replace(/-\?-\?$/, '') : value;
}

function monthOf(name: string): number {
  return MONTHS.findIndex((month) => month.startsWith(name.slice(0, 3).toLowerCase())) + 1;
}

function unitAt(after: string): string | undefined {
  const text = after.trimStart();
  return UNITS.find(([, spelling]) => spelling.test(text))?.[0];
}

/** 二十五 is 25, 一〇 is 10, 三百 is 300; undefined for what is no number. */
function kanjiValue(text: string): number | undefined {
  let total = 0;
  let section = 0;
  let digits = 0;
  let seen = false;
  for (const character of text) {
    const digit = KANJI.indexOf(character);
    if (digit >= 0) {
      digits = digits * 10 + digit;
      seen = true;
      continue;
    }
    const times = character === '十' ? 10 : (TIMES[character] ?? 1);
    if (times >= 1e4) {
      total += (section + digits || 1) * times;
      section = 0;
    } else section += (seen ? digits : 1) * times;
    digits = 0;
    seen = false;
  }
  const value = total + section + digits;
  return Number.isSafeInteger(value) ? value : undefined;
}
