import type { ChunkerSettings } from '../../../spec/collection.ts';
import { SekishoError } from '../../../spec/errors.ts';
import type { Chunker } from './chunker.ts';
import { fixed } from './fixed.ts';
import { parentChild } from './parent-child.ts';
import { recursive } from './recursive.ts';
import { semantic } from './semantic.ts';
import { sentenceWindow } from './sentence-window.ts';
import { structure } from './structure.ts';

/** The measures that a chunker may have; both ends included. */
const TOKENS = { least: 16, most: 8_192 };
const SENTENCES = { least: 1, most: 20 };
const PERCENTILE = { least: 50, most: 99 };

/** The chunker that the settings name. @throws SekishoError invalid_request where a measure is out of its bounds. */
export function chunkerOf(settings: ChunkerSettings): Chunker {
  checkMeasures(settings);
  return { id: chunkerId(settings), asksForVectors: settings.kind === 'semantic', cut: cutterOf(settings) };
}

/**
 * Names the way in which texts are cut, with its measures. It is part of a collection's fingerprint: a way that
 * begins to cut otherwise gets a new number.
 */
export function chunkerId(settings: ChunkerSettings): string {
  switch (settings.kind) {
    case 'recursive':
      return `recursive-1:${settings.targetTokens}/${settings.maxTokens}`;
    case 'fixed':
      return `fixed-1:${settings.tokens}/${settings.overlapTokens}`;
    case 'structure':
      return `structure-1:${settings.maxTokens}`;
    case 'sentence-window':
      return `sentence-window-1:${settings.sentences}`;
    case 'parent-child':
      return `parent-child-1:${settings.childTokens}/${settings.parentTokens}`;
    case 'semantic':
      return `semantic-1:${settings.percentile}/${settings.maxTokens}`;
    default:
      return settings satisfies never;
  }
}

function cutterOf(settings: ChunkerSettings): Chunker['cut'] {
  switch (settings.kind) {
    case 'recursive':
      return (source, tools) => recursive(source, tools, settings);
    case 'fixed':
      return (source, tools) => fixed(source, tools, settings);
    case 'structure':
      return (source, tools) => structure(source, tools, settings);
    case 'sentence-window':
      return (source, tools) => sentenceWindow(source, tools, settings);
    case 'parent-child':
      return (source, tools) => parentChild(source, tools, settings);
    case 'semantic':
      return (source, tools) => semantic(source, tools, settings);
    default:
      return settings satisfies never;
  }
}

function checkMeasures(settings: ChunkerSettings): void {
  switch (settings.kind) {
    case 'recursive':
      check('targetTokens', settings.targetTokens, { least: TOKENS.least, most: settings.maxTokens });
      return check('maxTokens', settings.maxTokens, TOKENS);
    case 'fixed':
      check('tokens', settings.tokens, TOKENS);
      // Beyond half, most of the index would be said more than twice.
      return check('overlapTokens', settings.overlapTokens, { least: 0, most: settings.tokens >> 1 });
    case 'structure':
      return check('maxTokens', settings.maxTokens, TOKENS);
    case 'sentence-window':
      return check('sentences', settings.sentences, SENTENCES);
    case 'parent-child':
      check('childTokens', settings.childTokens, { least: TOKENS.least, most: settings.parentTokens });
      return check('parentTokens', settings.parentTokens, TOKENS);
    case 'semantic':
      check('percentile', settings.percentile, PERCENTILE);
      return check('maxTokens', settings.maxTokens, TOKENS);
    default:
      return settings satisfies never;
  }
}

function check(name: string, value: number, { least, most }: { least: number; most: number }): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  const problem = `chunker.${name}: a whole number from ${least} to ${most}`;
  throw new SekishoError('invalid_request', { values: { problem }, param: `chunker.${name}` });
}
