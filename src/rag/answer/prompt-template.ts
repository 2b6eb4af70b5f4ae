import Mustache from 'mustache';
import { SekishoError } from '../../spec/errors.ts';

/** What a template can say. Every value is ours: nothing that a caller or a document wrote is among them. */
export interface PromptView {
  /** Name of the collection. */
  collection: string;
  /** The language of the question, by its English name. */
  language: string;
  /** Today, as 2026-01-31. */
  date: string;
  /** True where the question is in that language, for sections. */
  english: boolean;
  japanese: boolean;
  /** All passages, each in its fence. Where a template does not place them they follow it. */
  passages: string;
}

const WORDS = new Set(['collection', 'language', 'date', 'passages']);
const SECTIONS = new Set(['english', 'japanese']);
const LONGEST_TEMPLATE = 8_000;
const DEEPEST = 4;
const MOST_TAGS = 200;

/**
 * Judges a template for instructions, in Mustache without partials, lambdas and other delimiters.
 * @throws SekishoError invalid_request where it is too large, nested too deeply, or names what there is not.
 */
export function checkPromptTemplate(template: string): void {
  const problem = promptTemplateProblem(template);
  if (problem === undefined) return;
  throw new SekishoError('invalid_request', {
    values: { problem: `answer.prompt: ${problem}` },
    param: 'answer.prompt',
  });
}

/** The text of a template. Values are text and never read as a template. @throws as checkPromptTemplate. */
export function renderPromptTemplate(template: string, view: PromptView): string {
  checkPromptTemplate(template);
  return newWriter().render(template, view, undefined, { escape: String });
}

/** Whether a template says where the passages stand. */
export function placesPassages(template: string): boolean {
  return /\{\{[{&]?\s*passages\s*\}\}/.test(template);
}

/** What is wrong with a template; undefined where nothing is. */
export function promptTemplateProblem(template: string): string | undefined {
  if (template.trim() === '') return 'it is empty';
  if (template.length > LONGEST_TEMPLATE) return `it is longer than ${LONGEST_TEMPLATE} characters`;
  let tokens: unknown;
  try {
    tokens = newWriter().parse(template);
  } catch {
    return 'it is no Mustache template: a tag or a section is not closed';
  }
  const found = { tags: 0, passages: 0 };
  const problem = problemIn(tokens, 1, found);
  if (problem !== undefined) return problem;
  return found.passages > 1 ? 'it names the passages more than once' : undefined;
}

/** Tokens of the parser are lists: kind, text, start, end, and for sections what is inside. */
function problemIn(tokens: unknown, depth: number, found: { tags: number; passages: number }): string | undefined {
  if (!Array.isArray(tokens)) return undefined;
  if (depth > DEEPEST) return `its sections are nested more than ${DEEPEST} deep`;
  for (const token of tokens) {
    if (!Array.isArray(token)) continue;
    const [kind, name, , , inside]: unknown[] = token;
    if (kind === 'text' || kind === '!') continue;
    if (++found.tags > MOST_TAGS) return `it has more than ${MOST_TAGS} tags`;
    const text = typeof name === 'string' ? name : '';
    if (kind === 'name' || kind === '&') {
      if (!WORDS.has(text)) return `there is no {{${text.slice(0, 40)}}}; there are ${[...WORDS].join(', ')}`;
      if (text === 'passages') {
        if (depth > 1) return 'the passages stand in no section';
        found.passages++;
      }
    } else if (kind === '#' || kind === '^') {
      if (!SECTIONS.has(text)) return `there is no section {{#${text.slice(0, 40)}}}; there are english and japanese`;
      const problem = problemIn(inside, depth + 1, found);
      if (problem !== undefined) return problem;
    } else return 'it has a partial or other delimiters, which are not taken';
  }
  return undefined;
}

/** One for each use: the library keeps every template that it has seen. */
function newWriter(): InstanceType<typeof Mustache.Writer> {
  return new Mustache.Writer();
}
