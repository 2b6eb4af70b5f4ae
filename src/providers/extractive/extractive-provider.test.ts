import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { ChatCall, StreamFrame } from '../../ports/provider.ts';
import type { Sentence, TextAnalyser } from '../../ports/text-analyser.ts';
import type { ChatRequest, ChatResult, PassageInput, StreamPart } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';
import { createExtractiveProvider } from './extractive-provider.ts';
import { readQuestion } from './question.ts';

/** The smallest analyser that the provider can work with: providers do not see the real one. */
const analyser: TextAnalyser = {
  id: 'test',
  terms: (text) =>
    text
      .toLowerCase()
      .match(/[a-z0-9]{3,}|\p{Script=Han}{2}|\p{Script=Katakana}{2,}/gu)
      ?.filter((term) => !['the', 'was', 'and', 'are'].includes(term)) ?? [],
  sentences: (text) =>
    [...text.matchAll(/[^.。?？\n]+[.。?？]?/g)].flatMap((match): Sentence[] => {
      const slice = match[0].trim().replace(/^#+ /, '');
      const start = match.index + match[0].indexOf(slice);
      return slice === '' ? [] : [{ start, end: start + slice.length, text: slice }];
    }),
  language: (text) => (/[\u3041-\u30ff\u4e00-\u9fff]/.test(text) ? 'ja' : 'en'),
};
const provider = createExtractiveProvider({
  analyser,
  ids: () => 'chatcmpl_1',
  clock: { nowMs: () => 5, monotonicMs: () => 5 },
});

const TOWER: PassageInput = {
  id: 'tower',
  title: 'The tower',
  content:
    '# The tower of Aldermoor\n\nThe tower of Aldermoor was finished in 1743 by masons from the coast. It is made of granite. Who built the tower of Aldermoor?',
};
const BRIDGE: PassageInput = {
  id: 'bridge',
  content: 'The bridge near Aldermoor carries trains. Its arches are wooden.',
};
const CASTLE: PassageInput = {
  id: 'castle',
  title: '白鷺城',
  content: '白鷺城の天守閣は1609年に完成した。城下町には市場があった。',
};

function callOf(request: ChatRequest, signal = new AbortController().signal): ChatCall {
  return { model: 'sentences', target: 'extractive/sentences', signal, request: () => request };
}

function asking(question: string, passages?: PassageInput[]): ChatRequest {
  return { messages: [{ role: 'user', parts: [{ type: 'text', text: question }] }], ...(passages && { passages }) };
}

async function ask(question: string, passages?: PassageInput[]): Promise<ChatResult> {
  const answer = await provider.chat?.(callOf(asking(question, passages)));
  if (answer === undefined) throw new Error('no answer');
  return answer.result();
}

function textOf(result: ChatResult): string {
  return result.parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

async function refusal(request: ChatRequest): Promise<unknown> {
  return provider.chat?.(callOf(request)).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
}

describe('answers', () => {
  test('text that was set to a width is shown without its line breaks and gaps; its citation is word for word', async () => {
    const english = 'The toll of the old\tgate at Hakone was   three coins for a traveller\n       who came on foot.';
    const japanese = '箱根の関所では、旅人は皆、番人に通行手形を見せることになってい\n\t  た。番所は山の中にある。';
    const wide: TextAnalyser = {
      ...analyser,
      sentences: (text) => {
        const end = text.search(/[.。]/) + 1;
        return [{ start: 0, end, text: text.slice(0, end) }];
      },
    };
    const asked = createExtractiveProvider({
      analyser: wide,
      ids: () => 'a',
      clock: { nowMs: () => 5, monotonicMs: () => 5 },
    });
    for (const [question, content, shown] of [
      [
        'What was the toll of the gate at Hakone?',
        english,
        'The toll of the old gate at Hakone was three coins for a traveller who came on foot.',
      ],
      [
        '箱根の関所で旅人は番人に何を見せましたか。',
        japanese,
        '箱根の関所では、旅人は皆、番人に通行手形を見せることになっていた。',
      ],
    ] as const) {
      const result = await (await asked.chat?.(callOf(asking(question, [{ id: 'a', content }]))))?.result();
      if (result === undefined) throw new Error('no answer');
      expect(textOf(result)).toBe(shown);
      const [citation] = result.citations ?? [];
      expect(citation?.sentence).toBe(content.slice(citation?.start, citation?.end));
    }
  });

  test('versions, paths, options and names are read as one', () => {
    expect(
      readQuestion('When came Ubuntu 20.04, and what do --force and -x do to /etc/fstab and allow_nan?').exact,
    ).toEqual(['20.04', '--force', '-x', '/etc/fstab', 'allow_nan']);
    expect(readQuestion('lintian は何をするツールですか？')).toMatchObject({ kind: 'definition', exact: ['lintian'] });
    expect(readQuestion('What is /var/opt used for?').defined).toBe('/var/opt');
  });

  test('the entry of a list that a Japanese question asks for is its answer', async () => {
    const list: PassageInput = {
      id: 'tools',
      content:
        'pbuilder = 環境ツールの核となる検査ツール。\n\nlintian - 検査ツールであり、ビルドした物を調べる。\n\ndebuild = 検査ツール、ビルドツールの核。',
    };
    expect(textOf(await ask('lintian は何をするツールですか？', [list]))).toBe(
      'lintian - 検査ツールであり、ビルドした物を調べる。',
    );
  });

  test('a sentence in the language of the question answers from a passage that is mostly in another', async () => {
    const english = 'The manual goes on in English. '.repeat(9);
    const content = `${english}通行手形は番人が発行する。 ${english}`;
    const mostly: TextAnalyser = {
      ...analyser,
      language: (text) => ((text.match(/[\u3041-\u9fff]/g)?.length ?? 0) * 3 > text.length ? 'ja' : 'en'),
    };
    const asked = createExtractiveProvider({
      analyser: mostly,
      ids: () => 'a',
      clock: { nowMs: () => 5, monotonicMs: () => 5 },
    });
    const result = await (
      await asked.chat?.(callOf(asking('通行手形は誰が発行しますか？', [{ id: 'a', content }])))
    )?.result();
    expect(result === undefined ? '' : textOf(result)).toBe('通行手形は番人が発行する。');
  });

  test('a term of a list of definitions, and a heading without marks, are what the next sentence is about', async () => {
    const content =
      '/proc/tty\n\n疑似ファイルを含む部分であり、書かれている。\n\n/proc/uptime\n\n起動時から経過した時間を含む。\n\n/proc/version\n\n現在の番号が書かれている。';
    expect(textOf(await ask('/proc/uptime には何が書かれていますか？', [{ id: 'proc', content }]))).toBe(
      '起動時から経過した時間を含む。',
    );
  });

  test('English: the sentence that answers, word for word, with its span in the passage and in the answer', async () => {
    const result = await ask('When was the tower of Aldermoor finished?', [BRIDGE, TOWER]);
    const sentence = 'The tower of Aldermoor was finished in 1743 by masons from the coast.';
    expect(textOf(result)).toBe(sentence);
    expect(result.citations).toEqual([
      {
        document_id: 'tower',
        title: 'The tower',
        sentence,
        start: TOWER.content.indexOf(sentence),
        end: TOWER.content.indexOf(sentence) + sentence.length,
        answer_start: 0,
        answer_end: sentence.length,
      },
    ]);
    expect(result.usage.basis).toBe('estimated');
    expect(result.usage.outputTokens).toBeGreaterThan(0);
  });

  test('Japanese: the same', async () => {
    const result = await ask('白鷺城の天守閣はいつ完成しましたか?', [BRIDGE, CASTLE]);
    expect(textOf(result)).toBe('白鷺城の天守閣は1609年に完成した。');
    expect(result.citations?.[0]?.document_id).toBe('castle');
  });

  test('headings and questions are never the answer', async () => {
    const result = await ask('Who built the tower of Aldermoor?', [TOWER]);
    expect(textOf(result)).not.toContain('?');
    expect(textOf(result)).not.toContain('#');
  });

  test('a row of a table is quoted without its bars, its head never', async () => {
    const content =
      '| word | what it says of the harbour |\n|---|---|\n| pilot | guides foreign ships into harbour at night |';
    const result = await ask('Which word guides foreign ships into the harbour?', [{ id: 'table', content }]);
    expect(textOf(result)).toBe('pilot – guides foreign ships into harbour at night');
    expect(result.citations?.[0]?.sentence).toBe('pilot | guides foreign ships into harbour at night');
  });

  test('marks of Markdown are not shown, and stand in the citation', async () => {
    const content = 'The **gate** of the castle is opened by the [warden](https://castle/warden) at _six_.';
    const result = await ask('Who opens the gate of the castle?', [{ id: 'gate', content }]);
    expect(textOf(result)).toBe('The gate of the castle is opened by the warden at _six_.');
    expect(result.citations?.[0]?.sentence).toBe(content);
  });

  test('a line of code is no answer, also where the passage begins in the middle of it', async () => {
    const code = 'print the opening hours of the castle gate to the screen';
    const prose = 'The castle gate is opened at six.';
    for (const content of [`${prose}\n\n\`\`\`sh\n${code}\n\`\`\`\n`, `${code}\n\`\`\`\n\n${prose}\n`]) {
      const result = await ask('What are the opening hours of the castle gate?', [{ id: 'gate', content }]);
      expect(textOf(result)).not.toContain('print');
    }
  });

  const steps = '1. Turn the key of the gate.\n2. Pull the chain twice.\n3. Wait for the warden.';
  test.each([
    ['How do I open the castle gate?', `To open the castle gate, do this:\n\n${steps}\n\nThe moat is deep.`, steps],
    ['How do I turn the key of the castle gate?', `Castle gate.\n\n${steps}\n\nThe moat is deep.`, steps],
    [
      'How do I open the castle gate?',
      'Open the castle gate with this:\n\n```sh\ngate --open\n```\n\nBye.',
      '```sh\ngate --open\n```',
    ],
    [
      '城門を開けるには？',
      '城門を開けるには、次の手順に従います。\n\n1. 鍵を回します。\n2. 鎖を二回引きます。\n\n堀は深いです。',
      '1. 鍵を回します。\n2. 鎖を二回引きます。',
    ],
  ])('%s is answered with all of its steps', async (question, content, all) => {
    const result = await ask(question, [{ id: 'gate', title: 'Castle gate', content }]);
    expect(textOf(result)).toContain(all);
    expect(textOf(result)).not.toMatch(/moat|Bye|堀/);
    const [citation] = result.citations ?? [];
    expect(content.slice(citation?.start, citation?.end)).toBe(String(citation?.sentence));
  });

  test('of a number that is asked about the sentence with that number speaks', async () => {
    const content =
      'An error has a status and a code. The status 402 is sent where a budget is used up. The status 404 is sent where nothing is found.';
    const result = await ask('What does the status 402 mean?', [{ id: 'errors', content }]);
    expect(result.citations?.[0]?.sentence).toContain('402');
  });

  test('the same sentence in two passages is quoted once', async () => {
    const result = await ask('When was the tower of Aldermoor finished?', [TOWER, { ...TOWER, id: 'copy' }]);
    expect(result.citations).toHaveLength(1);
  });

  test('every citation is an exact slice of its passage, and its answer span an exact slice of the answer', async () => {
    const fragment = fc.constantFrom(
      'the tower ',
      'Aldermoor ',
      'finished ',
      '白鷺城',
      '完成',
      '。',
      '. ',
      '\n',
      '# ',
      '1743 ',
      '?',
      '\ud83d',
      '| x |',
    );
    const passage = fc.array(fragment, { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(passage, { maxLength: 4 }),
        fc.array(fragment, { maxLength: 8 }),
        async (passages, words) => {
          const numbered = passages.map((parts, i) => ({ id: `p${i}`, content: parts.join('') }));
          const result = await ask(words.join(''), numbered);
          for (const citation of result.citations ?? []) {
            const source = numbered.find(({ id }) => id === citation.document_id);
            expect(source?.content.slice(citation.start, citation.end)).toBe(citation.sentence);
            const shown = textOf(result).slice(citation.answer_start, citation.answer_end);
            expect(shown.replaceAll(' – ', ' | ')).toBe(citation.sentence.replaceAll(/ +\| +/g, ' | '));
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  test('the likeness of meaning finds the answer in another language', async () => {
    const about = (text: string): Float32Array => new Float32Array(/castle|白鷺城/.test(text) ? [1, 0] : [0, 1]);
    const encoder = {
      id: 'test',
      dimensions: 2,
      fingerprint: 'x',
      encode: about,
      countTokens: (text: string) => text.length,
    };
    const bilingual = createExtractiveProvider({ analyser, encoder });
    const answer = await bilingual.chat?.(callOf(asking('When was the white castle completed?', [BRIDGE, CASTLE])));
    expect(answer?.result().citations?.[0]?.sentence).toBe('白鷺城の天守閣は1609年に完成した。');
  });
});

describe('headings', () => {
  const storm = 'To leave the castle in a storm, open the gate of the castle with the spare key of the gate.';
  const wheel = 'Turn the wheel twice.';

  test('the section whose heading asks the question answers it, and nothing from elsewhere', async () => {
    const content = `# Castle\n\n## How do I open the gate?\n\n${wheel}\n\n## How do I paint the gate?\n\nUse red for the gate.`;
    const result = await ask('How do I open the gate?', [
      { id: 'gate', title: 'Castle', content },
      { id: 'storm', content: storm },
    ]);
    expect(textOf(result)).toBe(wheel);
  });

  test('Japanese: the same', async () => {
    const content = '# 城\n\n## 開門の手順\n\n鍵束を二回転。\n\n## 塗装の手順\n\n城門には赤色。';
    const result = await ask('開門の手順は？', [
      { id: 'gate', title: '城', content },
      { id: 'storm', content: '嵐の日は合鍵で開門。' },
    ]);
    expect(textOf(result)).toBe('鍵束を二回転。');
  });

  test('the heading of a passage that begins below it counts, too', async () => {
    const below = { id: 'gate', title: 'Castle', content: wheel };
    const passages = [below, { id: 'storm', content: storm }];
    expect(textOf(await ask('How do I open the gate?', passages))).not.toContain(wheel);
    const headed = [
      { ...below, headings: ['Castle', 'How do I open the gate?'] },
      { id: 'storm', content: storm },
    ];
    expect(textOf(await ask('How do I open the gate?', headed))).toBe(wheel);
  });

  test.each([
    ['What is a gate?', 'The warden of the gate is old.', 'A gate is the door of a castle.'],
    ['What is a gate?', 'There is one gate, the gate to the north, and it is old.', 'A gate is the door of a castle.'],
    [
      '城門とは何ですか？',
      '城門は北側の城門と南側の城門が古く、修理する。',
      '城門（正門）とは、城の出入口のことです。',
    ],
  ])('%s is answered by what it is', async (question, other, definition) => {
    const result = await ask(question, [
      { id: 'other', content: `# Castle\n\n${other}` },
      { id: 'words', content: definition },
    ]);
    expect(result.citations?.[0]?.sentence).toBe(definition);
  });

  test.each([
    ['How do I open the gate?', 'To celebrate victory, open the gate.', 'Open the gate with a key.'],
    ['城門を開けるには？', '祝祭を催すには、門番に城門の開門を依頼します。', '城門を開けるには、鍵束を使います。'],
  ])('%s is not answered by what it is done for', async (question, purpose, answer) => {
    const result = await ask(question, [
      { id: 'purpose', content: purpose },
      { id: 'gate', content: answer },
    ]);
    expect(result.citations?.[0]?.sentence).toBe(answer);
  });

  test('a question about a case is not one about a time', async () => {
    const stop = 'It happens that trains stop when the gate falls.';
    const content = `${stop} It happens that the gate of the castle falls in May 1743.`;
    const result = await ask('What happens when the gate falls?', [{ id: 'gate', content }]);
    expect(result.citations?.[0]?.sentence).toBe(stop);
  });
});

describe('abstains', () => {
  test('in the language of the question, where the passages do not answer', async () => {
    const english = await ask('Which medicine helps against headache?', [TOWER, BRIDGE, CASTLE]);
    expect(textOf(english)).toBe('The documents do not answer this question.');
    expect(english.citations).toBeUndefined();
    const japanese = await ask('頭痛に効く薬品は?', [TOWER, BRIDGE, CASTLE]);
    expect(textOf(japanese)).toContain('見つかりませんでした');
  });

  test('and says what it is where there are no passages at all', async () => {
    expect(textOf(await ask('Hello!'))).toStartWith('I answer from documents only');
    expect(textOf(await ask('こんにちは'))).toContain('文書の文を引用');
  });

  test('also for an empty question, empty passages and no passages found', async () => {
    expect((await ask('', [TOWER])).citations).toBeUndefined();
    expect((await ask('When?', [{ id: 'x', content: '' }])).citations).toBeUndefined();
    expect(textOf(await ask('When was it?', []))).toBe('The documents do not answer this question.');
  });
});

describe('streams', () => {
  test('start, one piece per sentence, citations, usage, finish; the text is that of the whole answer', async () => {
    const request = asking('When was the tower of Aldermoor finished?', [TOWER]);
    const stream = await provider.streamChat?.(callOf(request));
    const frames: StreamFrame[] = [];
    for await (const frame of stream?.frames ?? []) frames.push(frame);
    const parts = frames.flatMap((frame): StreamPart[] => frame.parts);
    expect(parts.map((part) => part.type)).toEqual(['start', 'text', 'citations', 'usage', 'finish']);
    const text = parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
    expect(text).toBe(textOf(await ask('When was the tower of Aldermoor finished?', [TOWER])));
  });

  test('end with caller_left when the caller leaves', async () => {
    const leaving = new AbortController();
    const stream = await provider.streamChat?.(callOf(asking('When was the tower finished?', [TOWER]), leaving.signal));
    const reading = (async () => {
      for await (const frame of stream?.frames ?? []) if (frame.parts[0]?.type === 'start') leaving.abort();
    })();
    expect(await reading.catch((thrown: unknown) => (thrown instanceof SekishoError ? thrown.code : thrown))).toBe(
      'caller_left',
    );
  });
});

describe('refuses what it cannot carry', () => {
  test('tools and structured output', async () => {
    const tools = await refusal({ ...asking('x', [TOWER]), tools: [{ name: 'f', parameters: {} }] });
    expect(tools).toBeInstanceOf(SekishoError);
    expect(tools).toHaveProperty('code', 'unsupported_parameter');
    expect(await refusal({ ...asking('x', [TOWER]), responseFormat: { type: 'json' } })).toHaveProperty(
      'code',
      'unsupported_parameter',
    );
  });
});

test('a hostile amount of text is bounded', async () => {
  const content = 'The tower of Aldermoor was finished in 1743 again and again. '.repeat(20_000);
  const passages = Array.from({ length: 120 }, (_, i) => ({
    id: `p${i}`,
    content: i === 0 ? content : 'The tower was finished.',
  }));
  const result = await ask('When was the tower of Aldermoor finished? '.repeat(2_000), passages);
  expect(result.parts).toHaveLength(1);
}, 10_000);
