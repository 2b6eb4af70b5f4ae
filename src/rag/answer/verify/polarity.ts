/** "Must" is said with two negations in Japanese, which make none. */
const MUST =
  /な(?:ければ|くては|いと)(?:な(?:らない|りません|らず)|いけ(?:ない|ません))|(?:に|も)ほかなら(?:ない|ず)|かもしれ(?:ない|ません)/g;
const ENGLISH =
  /\b(?:not|never|no|none|nobody|nothing|neither|nor|cannot|without|unable|refuses?|forbids?|forbidden|prohibited|impossible)\b|n['’]t\b/i;
const JAPANESE =
  /(?:な(?:い|く|かった|ければ|し(?=$|[。、]))|ません|ず(?=に|、|。|$)|ぬ(?=。|$)|不(?:可|要|能|正)|無(?:効|し)|禁止|できず)/;
const CLAUSE_END =
  /[,;、；]|\s(?:and|but|while|whereas|although|because|so|when|if|unless|until)\s|(?:ので|から|が|け(?:れ)?ど(?:も)?|ても|とき|場合(?:は|には)?)(?=、)/;

/** The parts of a sentence that can be affirmed or denied by themselves. */
export function clausesOf(sentence: string): string[] {
  return sentence
    .normalize('NFKC')
    .split(CLAUSE_END)
    .map((clause) => clause?.trim() ?? '')
    .filter((clause) => clause !== '');
}

/** Whether a clause denies. */
export function isNegated(clause: string): boolean {
  const plain = clause.replace(MUST, '');
  return ENGLISH.test(plain) || JAPANESE.test(plain);
}
