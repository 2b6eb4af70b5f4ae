/** The languages of the console. */
export const LANGUAGES = ['en', 'ja'] as const;
export type Language = (typeof LANGUAGES)[number];

/** Every text of the console; a language is complete when it has this type. */
export interface Words {
  nav: { label: string; playground: string; reference: string; skip: string };
  settings: { language: string; theme: string; light: string; dark: string; system: string; forgetKey: string };
  key: {
    title: string;
    lead: string;
    label: string;
    enter: string;
    checking: string;
    where: string;
    another: string;
    stays: string;
    show: string;
    hide: string;
  };
  pick: {
    label: string;
    documents: string;
    models: string;
    embeddings: string;
    loading: string;
    none: string;
    noneHow: string;
    topK: string;
    topKHint: string;
  };
  ask: {
    label: string;
    placeholderDocuments: string;
    placeholderModel: string;
    send: string;
    stop: string;
    keys: string;
  };
  empty: { documents: string; documentsLead: string; model: string; modelLead: string; examples: string };
  examples: readonly [string, string, string];
  learn: { title: string; find: string; fuse: string; cite: string; watch: string; watchModel: string };
  answer: {
    title: string;
    question: string;
    waiting: string;
    streaming: string;
    complete: (sources: number) => string;
    stopped: string;
    unanswered: string;
    reasoning: string;
    copy: string;
    copied: string;
    citation: (source: number) => string;
    support: string;
  };
  facts: {
    title: string;
    firstByte: string;
    total: string;
    requestId: string;
    route: string;
    target: string;
    cache: string;
    cost: string;
    overhead: string;
    tokens: string;
    server: string;
  };
  sources: {
    tab: string;
    none: string;
    score: string;
    untitled: string;
    position: (start: number, end: number) => string;
    metadata: string;
  };
  explain: {
    tab: string;
    none: string;
    lead: string;
    source: string;
    lexical: string;
    dense: string;
    fused: string;
    rank: string;
    score: string;
    notFound: string;
    timings: string;
    steps: Readonly<Record<string, string>>;
  };
  errors: {
    title: string;
    unreachable: string;
    brokenStream: string;
    unreadable: string;
    code: string;
    requestId: string;
    keyRefused: string;
  };
  reference: {
    title: string;
    lead: string;
    loading: string;
    filter: string;
    none: string;
    parameters: string;
    body: string;
    responses: string;
    example: string;
    required: string;
    name: string;
    place: string;
    type: string;
    meaning: string;
    other: string;
    raw: string;
    copy: string;
    copied: string;
    deprecated: string;
  };
}
