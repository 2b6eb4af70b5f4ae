import { expect, test } from 'bun:test';
import { stemEnglish } from './stem-english.ts';

// Examples of the algorithm's own description.
test.each([
  ['consign', 'consign'], ['consigned', 'consign'], ['consigning', 'consign'], ['consignment', 'consign'],
  ['consist', 'consist'], ['consisted', 'consist'], ['consistency', 'consist'], ['consistently', 'consist'],
  ['consolation', 'consol'], ['consolatory', 'consolatori'], ['consolidated', 'consolid'], ['consoling', 'consol'],
  ['knack', 'knack'], ['knackeries', 'knackeri'], ['knavish', 'knavish'], ['knife', 'knife'], ['knight', 'knight'],
  ['kneeling', 'kneel'], ['knightly', 'knight'], ['knots', 'knot'],
  ['ties', 'tie'], ['cries', 'cri'], ['gas', 'gas'], ['this', 'this'], ['gaps', 'gap'], ['kiwis', 'kiwi'],
  ['luxuriating', 'luxuri'], ['hopping', 'hop'], ['hoping', 'hope'], ['by', 'by'], ['say', 'say'], ['cry', 'cri'],
  ['generate', 'generat'], ['generic', 'generic'], ['general', 'general'], ['communism', 'communism'], ['skies', 'sky'],
  ['dying', 'die'], ['proceed', 'proceed'], ['herring', 'herring'], ["company's", 'compani'], ['news', 'news'],
  ['sensational', 'sensat'], ['rational', 'ration'], ['controlling', 'control'], ['adoption', 'adopt'],
])('%p becomes %p', (word, stem) => {
  expect(stemEnglish(word)).toBe(stem);
});
