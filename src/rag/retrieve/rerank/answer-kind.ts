const ASKS_WHEN = /いつ|何年|何月|何日|何世紀|何時|年号|\bwhen\b|\b(?:what|which) (?:year|date|day|month|century)\b/i;
const ASKS_HOW_MANY =
  /何(?![年月日世時故がをのにでとかも])|いくつ|いくら|どれくらい|どのくらい|\bhow (?:many|much|long|far|old|often)\b|\bpercent|割合/i;
const DATE =
  /\d{3,4}年|\d+月|\d+日|\d+世紀|\b1\d{3}\b|\b20\d\d\b|january|february|march|april|june|july|august|september|october|november|december/gi;
const NUMBER = /\d+|[一二三四五六七八九十百千万]{2,4}/g;
const ENOUGH = 3;

/** Whether a text has what a question of time or number asks for: 0 (none, or another question) to 1 (three). */
export type AnswerKind = (text: string) => { date: number; number: number };

/** Reads from a question in English or Japanese whether its answer is a date or a number. */
export function answerKindOf(question: string): AnswerKind {
  const when = ASKS_WHEN.test(question);
  const many = ASKS_HOW_MANY.test(question);
  const share = (text: string, pattern: RegExp): number => {
    let found = 0;
    for (const _ of text.matchAll(pattern)) if (++found === ENOUGH) break;
    return found / ENOUGH;
  };
  return (text) => ({ date: when ? share(text, DATE) : 0, number: many ? share(text, NUMBER) : 0 });
}
