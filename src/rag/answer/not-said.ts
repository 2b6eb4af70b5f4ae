const NOT_SAID = {
  en: 'The documents do not answer this question.',
  ja: 'この質問に答える記述は、文書の中に見つかりませんでした。',
};

/** That the documents do not say, in the language of the question, after what has gone out already. */
export function notSaid(language: 'en' | 'ja' | 'other', after: string): string {
  const saying = NOT_SAID[language === 'ja' ? 'ja' : 'en'];
  return after.trim() === '' ? saying : `\n\n${saying}`;
}
