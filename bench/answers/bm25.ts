const K1 = 1.2;
const B = 0.75;

/** BM25 in memory over documents given as terms; gives document numbers, best first. */
export function createBm25(
  documents: readonly (readonly string[])[],
): (terms: readonly string[], limit: number) => number[] {
  const postings = new Map<string, Map<number, number>>();
  for (const [number, terms] of documents.entries()) {
    for (const term of terms) {
      const posting = postings.get(term) ?? new Map<number, number>();
      posting.set(number, (posting.get(number) ?? 0) + 1);
      postings.set(term, posting);
    }
  }
  const meanLength = documents.reduce((sum, terms) => sum + terms.length, 0) / documents.length;
  return (terms, limit) => {
    const scores = new Map<number, number>();
    for (const term of new Set(terms)) {
      const posting = postings.get(term) ?? new Map<number, number>();
      const rarity = Math.log(1 + (documents.length - posting.size + 0.5) / (posting.size + 0.5));
      for (const [number, count] of posting) {
        const length = (documents[number]?.length ?? 0) / meanLength;
        const gain = (rarity * count * (K1 + 1)) / (count + K1 * (1 - B + B * length));
        scores.set(number, (scores.get(number) ?? 0) + gain);
      }
    }
    return [...scores]
      .toSorted((a, b) => b[1] - a[1])
      .slice(0, limit)
      .map(([number]) => number);
  };
}
