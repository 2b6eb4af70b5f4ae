const SAYINGS = {
  notAnswered: {
    en: 'The documents do not answer this question.',
    ja: 'この質問に答える記述は、文書の中に見つかりませんでした。',
  },
  documentsOnly: {
    en:
      'I answer from documents only, by quoting their sentences: I am not a language model. ' +
      'Ask a collection (model "rag/<collection>"), or choose a route with a language model.',
    ja:
      '私は言語モデルではなく、文書の文を引用して答えるだけです。' +
      'コレクション（モデル「rag/<コレクション名>」）に質問するか、言語モデルのルートを選んでください。',
  },
} as const;

/** What the provider says when it has no sentence to quote, in the language of the question. */
export function sayingFor(language: 'en' | 'ja' | 'other', saying: keyof typeof SAYINGS): string {
  return SAYINGS[saying][language === 'ja' ? 'ja' : 'en'];
}
