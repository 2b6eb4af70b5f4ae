/** Models up to generation 2, which think by budgets of tokens, if at all, and check no signatures. */
const OLD = /(^|\/)(gemini-(1|2)[.\d-]|gemma|learnlm|gemini-pro|embedding|text-)/;
const WITHOUT_THOUGHT = /(^|\/)(gemini-(1|2\.0)[.\d-]|gemma|learnlm)/;

/** How a model takes a wish for reasoning, and whether it wants the signatures of its calls back. */
export type Thinks = 'never' | 'by budget' | 'by level';

/** What is known of a model by its name; names that are not known are taken to be new. */
export function thinks(model: string): Thinks {
  if (WITHOUT_THOUGHT.test(model)) return 'never';
  return OLD.test(model) ? 'by budget' : 'by level';
}

/** The full name of a model: names alone, and what is no path, stand for models/name. */
export function fullName(model: string): string {
  return isPath(model) ? model : `models/${model}`;
}

/** The address of a model below the base URL, which no name leads out of. */
export function modelPath(model: string): string {
  if (!isPath(model)) return `models/${encodeURIComponent(model)}`;
  return model
    .split('/')
    .map((piece) => encodeURIComponent(piece))
    .join('/');
}

function isPath(model: string): boolean {
  return model.includes('/') && model.split('/').every((piece) => /^(?!\.\.?$)./s.test(piece));
}
