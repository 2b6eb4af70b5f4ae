import { describe, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createStaticEncoder } from '../../../nlp/embed/static-encoder.ts';
import { createTextAnalyser } from '../../../nlp/text-analyser.ts';
import type { Hit } from '../../../spec/document.ts';
import { verifyClaim, type Doubt } from './verify-claim.ts';

const MODEL = join(import.meta.dirname, '../../../../models/static-en-ja/model.bin');
const analyser = createTextAnalyser();
const deps = { analyser, ...(existsSync(MODEL) && { encoder: createStaticEncoder(readFileSync(MODEL)) }) };

function passage(content: string, title: string): Hit {
  return {
    documentId: title,
    chunkId: `${title}#0`,
    start: 0,
    end: content.length,
    content,
    title,
    headingPath: [],
    score: 1,
    metadata: {},
  };
}

const HARBOUR = passage(
  'The harbour opens at six in the morning. The harbour closes at nine in the evening. Boats that arrive later wait outside until morning. ' +
    'The club was founded on 3 May 1999 by Keiko Suzuki. It has 300 members. Visitors do not pay a fee. ' +
    'The crane lifts 12 tons. The sign at the gate says "No swimming inside the basin".',
  'Harbour',
);
const BRIDGE = passage(
  '橋は午前六時に開き、午後九時に閉まります。通行料は 300 円です。橋は 1999年5月3日に鈴木氏が設計しました。' +
    '雨の日は自転車で渡れません。荷車は二トンまで通れます。管理はミナト工業が行います。看板には「橋の上で止まらないこと」とあります。',
  '橋',
);

/** Claims as a model writes them, and what is wrong with each; own small cases. */
const CASES: readonly (readonly [claim: string, source: Hit, doubts: readonly Doubt[]])[] = [
  // What the passages say, in their words or in others.
  ['The harbour closes at nine in the evening.', HARBOUR, []],
  ['The harbour closes at 9 in the evening.', HARBOUR, []],
  ['It opens at six and closes at nine.', HARBOUR, []],
  ['Late boats must wait outside until the morning.', HARBOUR, []],
  ['Keiko Suzuki founded the club on May 3, 1999.', HARBOUR, []],
  ['The club was founded in 1999 and has 300 members.', HARBOUR, []],
  ['The crane can lift 12 tons.', HARBOUR, []],
  ['The sign says "No swimming inside the basin".', HARBOUR, []],
  ['Visitors do not have to pay a fee.', HARBOUR, []],
  ['橋は午後9時に閉まります。', BRIDGE, []],
  ['橋は午前6時に開きます。', BRIDGE, []],
  ['通行料は300円です。', BRIDGE, []],
  ['橋を設計したのは鈴木氏です。', BRIDGE, []],
  ['荷車は2トンまで通れます。', BRIDGE, []],
  ['雨の日は自転車では渡れません。', BRIDGE, []],
  ['管理はミナト工業が行っています。', BRIDGE, []],
  ['看板には「橋の上で止まらないこと」と書かれています。', BRIDGE, []],
  // Wrong numbers, also ones that stand elsewhere in the passage.
  ['The harbour closes at ten in the evening.', HARBOUR, ['number']],
  ['The harbour closes at six in the evening.', HARBOUR, ['number']],
  ['The club has 400 members.', HARBOUR, ['number']],
  ['The crane lifts 12 kilograms.', HARBOUR, ['number']],
  ['橋は午後十時に閉まります。', BRIDGE, ['number']],
  ['通行料は500円です。', BRIDGE, ['number']],
  ['荷車は三トンまで通れます。', BRIDGE, ['number']],
  // Another date.
  ['The club was founded on 4 May 1999.', HARBOUR, ['date']],
  ['The club was founded in May 1998.', HARBOUR, ['date']],
  ['橋は1999年6月3日に設計されました。', BRIDGE, ['date']],
  // A swapped name.
  ['Keiko Tanaka founded the club on 3 May 1999.', HARBOUR, ['name']],
  ['The club was founded on 3 May 1999 by Kenji Suzuki.', HARBOUR, ['name']],
  ['橋は1999年5月3日に田中氏が設計しました。', BRIDGE, ['name']],
  ['管理はヤマト工業が行います。', BRIDGE, ['name']],
  // What is denied.
  ['The harbour does not close at nine in the evening.', HARBOUR, ['negation']],
  ['Visitors pay a fee.', HARBOUR, ['negation']],
  ['雨の日は自転車で渡れます。', BRIDGE, ['negation']],
  ['荷車は二トンまで通れません。', BRIDGE, ['negation']],
  // A quotation that is none.
  ['The sign says "No fishing inside the basin".', HARBOUR, ['quote']],
  ['看板には「橋の上で走らないこと」とあります。', BRIDGE, ['quote']],
  // What nobody says.
  ['Elephants paint in watercolours.', HARBOUR, ['meaning']],
  ['象は水彩画を描きます。', BRIDGE, ['meaning']],
];

describe.each(CASES)('%s', (claim, source, doubts) => {
  test(doubts.length === 0 ? 'is borne out' : `is doubted for its ${doubts.join(', ')}`, () => {
    const verdict = verifyClaim(claim, [source], deps);
    expect(verdict.doubts.filter((doubt) => doubt !== 'meaning' || doubts.includes('meaning'))).toEqual([...doubts]);
    if (doubts.length === 0) expect(verdict.doubts).toEqual([]);
  });
});

describe.if(deps.encoder !== undefined)('between languages', () => {
  const english: readonly (readonly [string, Hit, readonly Doubt[]])[] = [
    ['The bridge opens at six in the morning and closes at nine in the evening.', BRIDGE, []],
    ['Carts of up to two tons may pass.', BRIDGE, []],
    ['The toll of the bridge is 500 yen.', BRIDGE, ['number']],
    ['港は夜の九時に閉まります。', HARBOUR, []],
    ['港は夜の十一時に閉まります。', HARBOUR, ['number']],
  ];
  test.each(english)('%s', (claim, source, doubts) => {
    expect([...verifyClaim(claim, [source], deps).doubts]).toEqual([...doubts]);
  });
});
