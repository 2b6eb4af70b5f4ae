import type { IndexFilter, TagRange } from '../../ports/chunk-index.ts';
import type { MetadataFilter } from '../../spec/filter.ts';
import { escapedKey } from '../tag-key.ts';
import { existsTag, numberPrefix, sortableNumber, tagOf } from '../tags.ts';

/**
 * A filter on metadata as one on the tags of chunks, which say the same: see documentTags. Values compare in NFC.
 */
export function compileFilter(filter: MetadataFilter): IndexFilter {
  switch (filter.kind) {
    case 'in':
      return { anyTag: filter.values.map((value) => tagOf(filter.field, value)) };
    case 'exists':
      return { anyTag: [existsTag(filter.field)] };
    case 'prefix':
      return { tagRange: { prefix: textPrefix(filter.field) + filter.text.normalize('NFC') } };
    case 'range':
      return { tagRange: rangeOf(filter) };
    case 'and':
      return { and: filter.filters.map(compileFilter) };
    case 'or':
      return { or: filter.filters.map(compileFilter) };
    case 'not':
      return { not: compileFilter(filter.filter) };
  }
}

function textPrefix(field: string): string {
  return `${escapedKey(field)}=`;
}

function rangeOf({ field, ...range }: Extract<MetadataFilter, { kind: 'range' }>): TagRange {
  const { gt, gte, lt, lte } = range;
  const numeric = [gt, gte, lt, lte].some((bound) => typeof bound === 'number');
  const bound = (value: string | number): string =>
    typeof value === 'number' ? sortableNumber(value) : value.normalize('NFC');
  return {
    prefix: numeric ? numberPrefix(field) : textPrefix(field),
    ...(gt !== undefined && { gt: bound(gt) }),
    ...(gte !== undefined && { gte: bound(gte) }),
    ...(lt !== undefined && { lt: bound(lt) }),
    ...(lte !== undefined && { lte: bound(lte) }),
  };
}
