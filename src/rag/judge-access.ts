import type { DocumentAccess } from '../spec/document-access.ts';
import { SekishoError } from '../spec/errors.ts';

const MOST_NAMES = 200;
const LONGEST_NAME = 100;
/** What nobody can see in a name makes two that look the same: controls, formats, surrogates alone, separators. */
const PLAIN = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+$/u;

/**
 * Judges who may find a document: at most 200 names in all, each of 1 to 100 visible characters without white space
 * at its ends.
 * @throws SekishoError invalid_request.
 */
export function judgeAccess(access: DocumentAccess): void {
  const { roles = [], groups = [], attributes = {} } = access;
  const names = [...roles, ...groups, ...Object.keys(attributes), ...Object.values(attributes).flat()];
  if (names.length > MOST_NAMES) throw wrong(`more than ${MOST_NAMES} names`);
  for (const name of names) {
    if (name.length > LONGEST_NAME) throw wrong(`a name is longer than ${LONGEST_NAME}`);
    if (name.trim() !== name || !PLAIN.test(name)) throw wrong('a name must be one line of visible characters');
  }
}

function wrong(problem: string): SekishoError {
  return new SekishoError('invalid_request', { values: { problem: `access: ${problem}` }, param: 'access' });
}
