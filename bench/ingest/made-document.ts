const ENGLISH =
  'gate road traveller keeper ledger toll mountain river letter permit market lantern winter harvest bridge horse captain message village border record season temple silver cedar journey answer question promise measure window shadow garden thunder island harbour copper needle mirror engine signal'.split(
    ' ',
  );
const JAPANESE =
  '関所 街道 旅人 役人 帳面 通行 手形 峠 宿場 馬 荷物 城下 山道 川 橋 灯り 冬 春 記録 検査 許可 村 町 米 商人 手紙 約束 夜明け 鐘 寺 神社 港 船 道具 印 石垣 見張り 門 番人 宿'.split(
    ' ',
  );

/**
 * A document of sections of about 120 words (or 300 characters), English or Japanese by turns, each section about one
 * chunk. The same number always gives the same document.
 */
export function madeDocument(number: number, sections: number): { id: string; content: string } {
  let seed = 42 + number * 7_919;
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const pick = (words: readonly string[]): string => words[Math.floor(random() * words.length)] ?? '';
  const isEnglish = number % 2 === 0;
  const section = (): string =>
    Array.from({ length: 10 }, () => {
      const words = Array.from({ length: 12 }, () => pick(isEnglish ? ENGLISH : JAPANESE));
      return isEnglish ? `The ${words.join(' ')} ${number}.` : `${words.join('の')}です。`;
    }).join(isEnglish ? ' ' : '');
  const headed = (at: number): string => (sections > 1 ? `# ${pick(isEnglish ? ENGLISH : JAPANESE)} ${at}\n\n` : '');
  const content = Array.from({ length: sections }, (_, at) => headed(at) + section()).join('\n\n');
  return { id: `d${number}`, content };
}
