import { SekishoError } from '../../../spec/errors.ts';

/** Looks for a mark in a text that comes in pieces. */
export interface CanaryWatch {
  /**
   * @returns what can go out: everything before what may be the beginning of the mark.
   * @throws SekishoError answer_withheld where the mark is complete.
   */
  push(text: string): string;
  end(): string;
}

/** Characters that may stand between two of the mark, however it was asked to be spelled. */
const FILLER = /[\p{L}\p{N}]/u;

/**
 * Watches for a mark that stands in the instructions of an answer and nowhere else. A text that has it repeats the
 * instructions, as one does that a document has led astray. Case and whatever stands between its letters do not hide it.
 */
export function watchForCanary(canary: string): CanaryWatch {
  const mark = canary.toLowerCase();
  let pending = '';
  /** How many characters of the mark the end of `pending` has, and where they begin, for each way to have begun. */
  let open: { length: number; from: number }[] = [];

  return {
    push: (text) => {
      const base = pending.length;
      pending += text;
      let at = base;
      for (const character of text) {
        if (FILLER.test(character)) {
          const letter = character.normalize('NFKC').toLowerCase();
          const from = at;
          open = [...open, { length: 0, from }].flatMap(({ length, from: began }) =>
            mark.startsWith(letter, length) ? [{ length: length + letter.length, from: began }] : [],
          );
          if (open.some(({ length }) => length >= mark.length)) throw new SekishoError('answer_withheld');
        }
        at += character.length;
      }
      const hold = Math.min(pending.length, ...open.map(({ from }) => from));
      const out = pending.slice(0, hold);
      pending = pending.slice(hold);
      open = open.map(({ length, from }) => ({ length, from: from - hold }));
      return out;
    },
    end: () => {
      const rest = pending;
      pending = '';
      open = [];
      return rest;
    },
  };
}
