import { z } from 'zod';
import { isJsonObject } from '../../lib/json.ts';

/** What `filters` may say; read by rag/filter/parse-filter. Handed on as it came: a record would lose some names. */
export const filtersSchema = z
  .unknown()
  .refine(isJsonObject, 'it must be an object')
  .meta({
    type: 'object',
    description:
      'Conditions on metadata, all of which must hold: {"field": value}, {"field": [values]} or {"field": ' +
      '{operators}} with $eq, $ne, $in, $nin, $gt, $gte, $lt, $lte, $exists, $prefix, $not; and {"$and": [...]}, ' +
      '{"$or": [...]}, {"$not": {...}} of such objects.',
  });
