/** How much of a query's words each text has in one place: 0 (none) to 1 (all that any text has), one per text. */
export type TermProximity = (query: string, texts: readonly string[]) => number[];

/** Code units of a place: a sentence of Japanese, a clause of English. */
const PLACE = 60;
const MAX_TERMS = 64;
const MAX_FINDS = 50;
/** Code units of a text that are looked at. */
const LONGEST_TEXT = 16_000;

/**
 * Finds the terms of the query in the texts and takes, for each text, the window of 60 code units with most of them,
 * weighed by how few of the texts have them. Terms are stems and character pairs, so they are found inside of words:
 * no text is tokenised, which keeps this below a millisecond for a short list.
 *
 * @param terms index terms of a text
 */
export function createTermProximity(terms: (text: string) => string[]): TermProximity {
  return (query, texts) => {
    const wanted = [...new Set(terms(query))].slice(0, MAX_TERMS);
    const finds = texts.map((text) => {
      const folded = text.slice(0, LONGEST_TEXT).normalize('NFKC').toLowerCase();
      return wanted.map((term) => placesOf(term, folded));
    });
    const weights = wanted.map((_, at) =>
      rarity(finds.filter((places) => (places[at]?.length ?? 0) > 0).length, texts.length),
    );
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return finds.map((places) => (total > 0 ? bestWindow(places, weights) / total : 0));
  };
}

function placesOf(term: string, text: string): number[] {
  const places: number[] = [];
  for (let at = text.indexOf(term); at >= 0 && places.length < MAX_FINDS; at = text.indexOf(term, at + 1)) {
    places.push(at);
  }
  return places;
}

/** The weight of a term that so many of the texts have, as in BM25; nothing for one that none has. */
function rarity(having: number, texts: number): number {
  return having === 0 ? 0 : Math.log(1 + (texts - having + 0.5) / (having + 0.5));
}

/** The most weight of different terms that begin within one window. */
function bestWindow(places: readonly (readonly number[])[], weights: readonly number[]): number {
  const finds = places.flatMap((ofTerm, term) => ofTerm.map((at) => ({ at, term })));
  finds.sort((a, b) => a.at - b.at);
  const held = new Uint8Array(weights.length);
  let sum = 0;
  let best = 0;
  let first = 0;
  for (const { at, term } of finds) {
    const before = held[term] ?? 0;
    held[term] = before + 1;
    if (before === 0) sum += weights[term] ?? 0;
    for (let gone = finds[first]; gone !== undefined && gone.at < at - PLACE; gone = finds[++first]) {
      const left = (held[gone.term] ?? 1) - 1;
      held[gone.term] = left;
      if (left === 0) sum -= weights[gone.term] ?? 0;
    }
    best = Math.max(best, sum);
  }
  return best;
}
